import { hash } from "node:crypto";

/** Numbers below `limit`, the same for the same seed (xorshift32 over a hash of it). */
export type Random = (limit: number) => number;

export function random(seed: string): Random {
  let x = hash("sha256", seed, "buffer").readUInt32LE(0) || 1;
  return (limit) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % Math.max(1, limit);
  };
}

const TOKENS = [
  ..."{}[]()<>\"'`\\/:;,.!?*&#%@|^~$=+- \t\r\n\0".split(""),
  "\u001b[31m",
  "\ufeff",
  "\u202e",
  "\u2028",
  "\u00e9",
  "e\u0301",
  "\u{1f600}",
  "\u{10ffff}",
  "--",
  "---\n",
  "...\n",
  "- ",
  "? ",
  ": ",
  "<<: ",
  "&a ",
  "*a",
  "!!str ",
  "!x ",
  "|\n",
  ">\n",
  "null",
  "true",
  "__proto__",
  "constructor",
  "toString",
  "length",
  "0x",
  "1e400",
  "-0",
  "1e-400",
  "9007199254740993",
  "18446744073709551616",
  "-1",
  "4294967295",
  "../",
  "..",
  "/etc/passwd",
  "sha256:",
  "${",
  "$(",
  "`",
  "<<EOF\n",
  "&&",
  "||",
  "\\\n",
  "\r\n",
  "a".repeat(64),
  " ".repeat(64),
  "\n".repeat(64),
].map((token) => Buffer.from(token));
const RAW = [
  [0xff],
  [0x80],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xff, 0xff, 0xff, 0xff],
  [0, 0, 0, 0],
  [0x7f, 0xff, 0xff, 0xff],
];

/** One to four changes of an input: bits, lengths, numbers, tokens, pieces of others, repetitions, cuts. */
export function mutate(input: Buffer, corpus: readonly Buffer[], next: Random): Buffer {
  let bytes: Buffer = Buffer.from(input);
  for (let changes = 1 + next(4); changes > 0; changes -= 1)
    bytes = CHANGES[next(CHANGES.length)]!(bytes, next, corpus);
  return bytes;
}

type Change = (bytes: Buffer, next: Random, corpus: readonly Buffer[]) => Buffer;

const insert = (bytes: Buffer, at: number, piece: Uint8Array, over = 0) =>
  Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + over)]);

const CHANGES: readonly Change[] = [
  // A bit, a byte.
  (bytes, next) => {
    if (bytes.length > 0) bytes[next(bytes.length)]! ^= 1 << next(8);
    return bytes;
  },
  (bytes, next) => {
    if (bytes.length > 0) bytes[next(bytes.length)] = next(256);
    return bytes;
  },
  // A token or raw bytes, inserted or over what was there.
  (bytes, next) => insert(bytes, next(bytes.length + 1), TOKENS[next(TOKENS.length)]!, next(4)),
  (bytes, next) => insert(bytes, next(bytes.length + 1), Buffer.from(RAW[next(RAW.length)]!), next(5)),
  // A length field of two, four or eight bytes.
  (bytes, next) => {
    const width = [2, 4, 8][next(3)]!;
    if (bytes.length < width) return bytes;
    const at = next(bytes.length - width + 1);
    bytes.fill([0, 0xff, 0x7f, 1][next(4)]!, at, at + width);
    return bytes;
  },
  // A number that stands in text.
  (bytes, next) => {
    const numbers = [...bytes.toString("latin1").matchAll(/\d+/g)];
    const number = numbers[next(numbers.length)];
    if (!number) return bytes;
    const by = ["0", "-1", "9".repeat(1 + next(400)), "1e999", "2147483648", "0.1"][next(6)]!;
    return insert(bytes, number.index, Buffer.from(by), number[0].length);
  },
  // Cuts.
  (bytes, next) => bytes.subarray(0, next(bytes.length + 1)),
  (bytes, next) => insert(bytes, next(bytes.length + 1), Buffer.alloc(0), next(bytes.length + 1)),
  // A piece again, once or very often: nesting, long runs.
  (bytes, next) => {
    const from = next(bytes.length + 1);
    const piece = bytes.subarray(from, from + 1 + next(40));
    const often = [1, 2, 70, 1000, 5000][next(5)]!;
    const copies = Math.min(often, Math.floor(40_000 / Math.max(1, piece.length)));
    return insert(bytes, from, Buffer.concat(Array.from({ length: copies }, () => piece)));
  },
  (bytes, next) =>
    insert(
      bytes,
      next(bytes.length + 1),
      Buffer.from("[{(\"'`$<*-#:".charAt(next(12)).repeat(1 + next(5000))),
    ),
  // A piece of another input.
  (bytes, next, corpus) => {
    const other = corpus[next(corpus.length)]!;
    const from = next(other.length + 1);
    return insert(bytes, next(bytes.length + 1), other.subarray(from, from + next(200)), next(100));
  },
  // Lines in another order.
  (bytes, next) => {
    const lines = bytes.toString("latin1").split("\n");
    const [line] = lines.splice(next(lines.length), 1);
    lines.splice(next(lines.length + 1), 0, line ?? "");
    return Buffer.from(lines.join("\n"), "latin1");
  },
];
