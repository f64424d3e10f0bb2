import { createHash } from "node:crypto";

/** One entry of the git index that is a file, a link or a submodule. */
export interface GitIndexEntry {
  /** Path relative to the top of the work tree. */
  path: string;
  type: "file" | "executable" | "link" | "submodule";
}

/** Largest index that is read, in bytes. */
export const MAX_GIT_INDEX_BYTES = 512 << 20;

/** Longest path, in bytes, as on Linux: version 4 shares prefixes, so a long one would be made again and again. */
const MAX_PATH_BYTES = 4096;

const FILE_MODES = new Map<number, GitIndexEntry["type"]>([
  [0o100644, "file"],
  [0o100755, "executable"],
  [0o120000, "link"],
  [0o160000, "submodule"],
]);

/**
 * Reads a git index (versions 2 to 4, SHA-1 and SHA-256 repositories) without running git: git run in a
 * hostile folder executes what that folder's configuration names. Format: git's
 * Documentation/gitformat-index. Entries in a merge conflict are listed once.
 *
 * @param bytes the whole file `.git/index`
 * @throws RangeError with the reason for anything that is not such an index
 */
export function parseGitIndex(bytes: Uint8Array): GitIndexEntry[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < 12 + 20 || buffer.toString("latin1", 0, 4) !== "DIRC")
    throw new RangeError("no git index");
  const version = buffer.readUInt32BE(4);
  if (version < 2 || version > 4) throw new RangeError(`version ${version} is not known`);
  const count = buffer.readUInt32BE(8);
  const hashLength = trailerLength(buffer);
  const end = buffer.length - hashLength;
  if (count > (end - 12) / 20) throw new RangeError("more entries than bytes");

  const entries = new Map<string, GitIndexEntry>();
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  let offset = 12;
  let previous = Buffer.alloc(0);
  for (let i = 0; i < count; i += 1) {
    const start = offset;
    const flagsAt = start + 40 + hashLength;
    if (flagsAt + 2 > end) throw new RangeError("cut off within an entry");
    const mode = buffer.readUInt32BE(start + 24);
    const extended = version >= 3 && (buffer.readUInt16BE(flagsAt) & 0x4000) !== 0;
    offset = flagsAt + (extended ? 4 : 2);
    let prefix = Buffer.alloc(0);
    if (version === 4) {
      const varint = readVarint(buffer, offset, end);
      offset = varint.next;
      if (varint.value > previous.length) throw new RangeError("strips more of a path than there is");
      prefix = previous.subarray(0, previous.length - varint.value);
    }
    const nul = buffer.indexOf(0, offset);
    if (nul === -1 || nul >= end) throw new RangeError("a path without its end");
    if (prefix.length + nul - offset > MAX_PATH_BYTES)
      throw new RangeError(`a path longer than ${MAX_PATH_BYTES} bytes`);
    const name = Buffer.concat([prefix, buffer.subarray(offset, nul)]);
    previous = name;
    offset = version === 4 ? nul + 1 : start + Math.ceil((nul + 1 - start) / 8) * 8;
    const type = FILE_MODES.get(mode);
    if (mode === 0o040000) throw new RangeError("a sparse index: run `git sparse-checkout disable`");
    if (type === undefined) throw new RangeError(`an entry of unknown mode ${mode.toString(8)}`);
    let path: string;
    try {
      path = utf8.decode(name);
    } catch {
      throw new RangeError("a path that is not UTF-8");
    }
    entries.set(path, { path, type });
  }
  refuseUnknownExtensions(buffer, offset, end);
  return [...entries.values()];
}

/** The index ends in a hash of what precedes it, which tells SHA-1 from SHA-256; all zeros where git skips it. */
function trailerLength(buffer: Buffer): 20 | 32 {
  const zero = (length: number) => buffer.subarray(-length).every((byte) => byte === 0);
  const matches = (algorithm: string, length: number) =>
    createHash(algorithm).update(buffer.subarray(0, -length)).digest().equals(buffer.subarray(-length));
  if (matches("sha1", 20)) return 20;
  if (buffer.length >= 12 + 32 && matches("sha256", 32)) return 32;
  if (zero(20)) return 20;
  throw new RangeError("its checksum does not match: it is damaged");
}

/** Extensions whose name starts in lower case change what the entries mean (split index, sparse index). */
function refuseUnknownExtensions(buffer: Buffer, from: number, end: number): void {
  let offset = from;
  while (offset + 8 <= end) {
    const first = buffer[offset]!;
    if (first < 0x41 || first > 0x5a) {
      const name = buffer.toString("latin1", offset, offset + 4);
      throw new RangeError(
        name === "link" ? "a split index: run `git update-index --no-split-index`" : "an unknown extension",
      );
    }
    offset += 8 + buffer.readUInt32BE(offset + 4);
  }
}

/** git's offset encoding: seven bits a byte, each continuation adds one. */
function readVarint(buffer: Buffer, from: number, end: number): { value: number; next: number } {
  let offset = from;
  if (offset >= end) throw new RangeError("cut off within a path");
  let byte = buffer[offset++]!;
  let value = byte & 0x7f;
  while (byte & 0x80) {
    if (offset >= end || value > 1 << 22) throw new RangeError("a path length out of range");
    byte = buffer[offset++]!;
    value = ((value + 1) << 7) | (byte & 0x7f);
  }
  return { value, next: offset };
}
