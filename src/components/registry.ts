import type { Kind } from "../core/component.ts";
import type { ComponentKind } from "./kind.ts";
import { code } from "./kinds/code.ts";
import { corpus } from "./kinds/corpus.ts";
import { dataset } from "./kinds/dataset.ts";
import { dependencies } from "./kinds/dependencies.ts";
import { image } from "./kinds/image.ts";
import { infra } from "./kinds/infra.ts";
import { model } from "./kinds/model.ts";
import { prompt } from "./kinds/prompt.ts";
import { tool } from "./kinds/tool.ts";

/** The nine kinds. A tenth is one file and one line here. */
export const COMPONENT_KINDS: readonly ComponentKind[] = [
  model,
  dataset,
  prompt,
  tool,
  corpus,
  code,
  dependencies,
  image,
  infra,
];

/** The kind of that name. */
export function kindOf(kind: Kind): ComponentKind {
  const found = COMPONENT_KINDS.find((entry) => entry.kind === kind);
  if (!found) throw new RangeError(`no component kind ${kind}`);
  return found;
}
