import { componentName, groupByFolder } from "../detect.ts";
import type { ComponentKind } from "../kind.ts";
import { describeTree } from "./tree-kind.ts";

const FOLDER = /(^|\/)(datasets?|training[-_]data|train[-_]data|finetun(e|ing)[-_]data)\//i;
/** Anywhere: a file that is called what it is for. */
const NAME = /(^|\/)(train|training|finetun(e|ing))([-_.][^/]*)?\.(jsonl|ndjson|csv|tsv|arrow)$/i;
const DATA = /\.(jsonl|ndjson|parquet|csv|tsv|arrow|txt|json)$/i;

/** What a model is trained, fine-tuned or judged on. */
export const dataset: ComponentKind = {
  kind: "dataset",
  about: "data that the model was trained, fine-tuned or judged with",
  detect(view) {
    const files = view.files.filter(
      (f) => (FOLDER.test(f.path) && DATA.test(f.path)) || f.path.endsWith(".parquet") || NAME.test(f.path),
    );
    return groupByFolder(files.map((f) => f.path)).map(({ path, files: found }) => ({
      declared: { kind: "dataset", name: componentName(path, "dataset"), path },
      because: `${found.length} data file${found.length === 1 ? "" : "s"} under ${path}`,
    }));
  },
  describe: describeTree,
};
