import type { Json } from "../core/canonical-json.ts";
import { parseStrictJson } from "../core/strict-json.ts";

/** Largest header that is read to name a tensor, in bytes. */
export const MAX_HEADER_BYTES = 16 << 20;

/** Where a tensor's bytes stand in its file: `from` inclusive, `to` exclusive. */
export interface TensorRange {
  name: string;
  from: number;
  to: number;
}

/**
 * Tensors and their places, out of the first bytes of a safetensors file (header length, then JSON).
 *
 * @param head the beginning of the file, with the whole header
 * @returns the tensors in the order of their bytes; none where this is no such header
 */
export function tensorRanges(head: Uint8Array): TensorRange[] {
  const buffer = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (buffer.length < 10) return [];
  const length = buffer.readBigUInt64LE(0);
  if (length > BigInt(Math.min(MAX_HEADER_BYTES, buffer.length - 8))) return [];
  const start = 8 + Number(length);
  let header: Json;
  try {
    header = parseStrictJson(buffer.toString("utf8", 8, start), { maxBytes: MAX_HEADER_BYTES });
  } catch {
    return [];
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) return [];
  const ranges: TensorRange[] = [];
  for (const [name, entry] of Object.entries(header)) {
    const offsets = (entry as { data_offsets?: Json } | null)?.data_offsets;
    if (name === "__metadata__" || !Array.isArray(offsets) || offsets.length !== 2) continue;
    const [from, to] = offsets;
    if (typeof from === "number" && typeof to === "number" && from <= to)
      ranges.push({ name, from: start + from, to: start + to });
  }
  return ranges.toSorted((a, b) => a.from - b.from);
}
