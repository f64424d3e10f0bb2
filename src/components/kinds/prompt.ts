import { componentName } from "../detect.ts";
import type { ComponentKind } from "../kind.ts";
import { describeTree } from "./tree-kind.ts";

const FOLDER = /(^|\/)(prompts?|prompt[-_]templates?|system[-_]prompts?)\//i;
const NAME =
  /(^|\/)((system|developer|persona)[-_.]?(prompt|message)?|few[-_]?shots?|chat[-_]template|context[-_]?template|[^/]*prompt)s?\.(md|txt|jinja2?|j2|tmpl|hbs|mustache|ya?ml|jsonl?|prompty)$/i;
const TEMPLATE = /\.(jinja2?|j2|tmpl|prompty|mustache|hbs)$/i;

/** System prompts, few-shot examples (their order counts), context templates, chat templates. */
export const prompt: ComponentKind = {
  kind: "prompt",
  about: "system prompts, few-shot examples, context templates and chat templates",
  detect(view) {
    return view.files
      .map((file) => file.path)
      .filter((path) => !/(^|\/)(test|tests|node_modules)\//.test(path))
      .filter(
        (path) => FOLDER.test(path) || NAME.test(path) || (TEMPLATE.test(path) && /prompt|chat/i.test(path)),
      )
      .map((path) => ({
        declared: { kind: "prompt" as const, name: componentName(path, "prompt"), path },
        because: FOLDER.test(path) ? "it stands in a folder of prompts" : "it is named like a prompt",
      }));
  },
  describe: describeTree,
};
