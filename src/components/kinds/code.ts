import type { ComponentKind } from "../kind.ts";
import { describeTree } from "./tree-kind.ts";

/** Everything that git tracks and that no other component claims. */
export const code: ComponentKind = {
  kind: "code",
  about: "every file that git tracks and no other component claims",
  detect: () => [
    {
      declared: { kind: "code", name: "agent", path: "." },
      because: "what no other component claims is code",
    },
  ],
  describe: describeTree,
};
