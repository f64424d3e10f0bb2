import { omsRoot } from "../../core/oms-root.ts";
import { componentName, groupByFolder } from "../detect.ts";
import type { ComponentKind } from "../kind.ts";
import { describeTree } from "./tree-kind.ts";

/** Weights, with the configuration and tokenizer files beside them. */
export const model: ComponentKind = {
  kind: "model",
  about: "weights, with their configuration, tokenizer and adapter files",
  detect(view) {
    const weights = view.files.filter((file) => looksLikeWeights(view.head(file.path, 512), file.path));
    return groupByFolder(weights.map((file) => file.path)).map(({ path, files }) => ({
      declared: { kind: "model", name: componentName(path, "model"), path },
      because: `${files[0]} holds weights by its content`,
    }));
  },
  describe(input) {
    const oms = omsRoot(input.files);
    return { ...describeTree(input), ...(oms === undefined ? {} : { also: { oms } }) };
  },
};

/** Tells weights by their first bytes: the extension is only asked where a format has no magic number. */
export function looksLikeWeights(head: Buffer, path: string): boolean {
  if (isSafetensors(head)) return true;
  const magic = head.toString("latin1", 0, 8);
  if (magic.startsWith("GGUF") || magic.startsWith("GGML") || magic.startsWith("\x89HDF\r\n")) return true;
  if (magic.startsWith("\x93NUMPY")) return true;
  if (magic.startsWith("PK\x03\x04"))
    return (
      /(\.pkl|\.pt|\.pth|\.keras|\.npz|data\.pkl)/.test(head.toString("latin1")) ||
      /\.(pt|pth|bin|keras|npz)$/.test(path)
    );
  if (head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5) return true;
  return (
    head.toString("latin1", 4, 8) === "TFL3" ||
    (/\.(onnx|tflite|ckpt|h5|msgpack)$/i.test(path) && head.length > 0)
  );
}

/** An 8-byte little-endian header length, then a JSON object (safetensors format). */
function isSafetensors(head: Buffer): boolean {
  if (head.length < 10) return false;
  const length = head.readBigUInt64LE(0);
  return length > 1n && length < 100_000_000n && head[8] === 0x7b && (head[9] === 0x22 || head[9] === 0x7d);
}
