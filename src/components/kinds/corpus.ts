import { componentName, topFolder } from "../detect.ts";
import type { ComponentKind } from "../kind.ts";
import { describeTree } from "./tree-kind.ts";

const FOLDER =
  /^(?:[^/]+\/){0,3}?(corpus|corpora|knowledge([-_]?base)?|kb|rag|documents|retrieval[-_]?(data|docs|corpus))\//i;

/** The documents that retrieval draws on, and their index. */
export const corpus: ComponentKind = {
  kind: "corpus",
  about: "documents that retrieval draws on, and their index",
  detect(view) {
    const folders = new Map<string, number>();
    for (const { path } of view.files) {
      const match = FOLDER.exec(path);
      if (!match || !/\.(md|mdx|txt|html?|pdf|jsonl?|csv|faiss|index|db|sqlite)$/i.test(path)) continue;
      const folder = topFolder(path, match[0].split("/").length - 1);
      folders.set(folder, (folders.get(folder) ?? 0) + 1);
    }
    return [...folders].map(([path, count]) => ({
      declared: { kind: "corpus", name: componentName(path, "corpus"), path },
      because: `${count} document${count === 1 ? "" : "s"} under ${path}`,
    }));
  },
  describe: describeTree,
};
