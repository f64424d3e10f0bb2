/**
 * The safetensors container: u64 little-endian header length, JSON header, tensor bytes.
 * The writer sorts keys and pads the header with spaces to 8 bytes; the reader refuses gaps and overlaps.
 */
const MAX_HEADER = 1 << 20;

/** A float32 tensor. */
export interface Tensor {
  shape: number[];
  data: Float32Array;
}

/** Serialises tensors in the order of their names; the same input gives the same bytes. */
export function writeSafetensors(
  tensors: Record<string, Tensor>,
  metadata: Record<string, string>,
): Uint8Array {
  const names = Object.keys(tensors).sort();
  const header: Record<string, unknown> = {
    __metadata__: Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  let end = 0;
  for (const name of names) {
    const { shape, data } = tensors[name]!;
    header[name] = { data_offsets: [end, end + data.length * 4], dtype: "F32", shape };
    end += data.length * 4;
  }
  const json = JSON.stringify(header);
  const text = new TextEncoder().encode(json.padEnd(json.length + ((8 - (json.length % 8)) % 8), " "));
  const out = new Uint8Array(8 + text.length + end);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  let at = 8 + text.length;
  for (const name of names) {
    for (const value of tensors[name]!.data) {
      view.setFloat32(at, value, true);
      at += 4;
    }
  }
  return out;
}

/** Reads F32 tensors; throws on a file that is truncated, has gaps or overlaps, or disagrees with its header. */
export function readSafetensors(bytes: Uint8Array): Record<string, Tensor> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8) throw new Error("safetensors: shorter than its length field");
  const length = view.getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER) || 8 + Number(length) > bytes.length) {
    throw new Error("safetensors: the header does not fit in the file");
  }
  const start = 8 + Number(length);
  const header: unknown = JSON.parse(
    new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, start)),
  );
  if (!isRecord(header)) throw new Error("safetensors: the header is no object");
  const spans = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => ({ name, ...parseEntry(name, entry) }))
    .sort((a, b) => a.begin - b.begin);
  const tensors: Record<string, Tensor> = Object.create(null);
  let end = 0;
  for (const span of spans) {
    if (span.begin !== end) throw new Error(`safetensors: gap or overlap before ${span.name}`);
    end = span.end;
    if (start + end > bytes.length)
      throw new Error(`safetensors: ${span.name} goes past the end of the file`);
    const data = new Float32Array((span.end - span.begin) / 4);
    for (let i = 0; i < data.length; i++) data[i] = view.getFloat32(start + span.begin + i * 4, true);
    tensors[span.name] = { shape: span.shape, data };
  }
  if (start + end !== bytes.length) throw new Error("safetensors: bytes after the last tensor");
  return tensors;
}

function parseEntry(name: string, entry: unknown): { shape: number[]; begin: number; end: number } {
  const bad = (what: string) => new Error(`safetensors: ${name}: ${what}`);
  if (!isRecord(entry) || entry.dtype !== "F32") throw bad("not an F32 tensor");
  const { shape, data_offsets: offsets } = entry;
  if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) throw bad("bad shape or offsets");
  const [begin, end] = offsets as [number, number];
  const size = shape.reduce((product, side) => product * side, 4);
  if (!Number.isSafeInteger(size) || end - begin !== size) throw bad("shape and offsets disagree");
  return { shape, begin, end };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
