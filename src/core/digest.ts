// Not `import`, which would load WebCrypto too: this is on the path of a program that must start fast.
const { hash } = process.getBuiltinModule("node:crypto");

/** SHA-256 in lower-case hexadecimal, 64 characters. */
export type Hex = string;

/** `algorithm:hex`, such as `sha256:…` or `waybill-tree-v1:…`. */
export type Digest = `${string}:${string}`;

const HEX = /^[0-9a-f]{64}$/;
const DIGEST = /^([a-z0-9][a-z0-9+._-]*):([0-9a-f]{64})$/;

/** SHA-256 of bytes, or of the UTF-8 bytes of a string, as hex. */
export function sha256(data: string | Uint8Array): Hex {
  return hash("sha256", data, "hex");
}

/** True for exactly 64 lower-case hexadecimal digits. */
export function isHex(text: string): boolean {
  return HEX.test(text);
}

/**
 * Splits `algorithm:hex`. Gives undefined for anything else, upper-case hex included: two spellings of one
 * digest would be two names of one thing.
 */
export function parseDigest(text: string): { algorithm: string; hex: Hex } | undefined {
  const match = DIGEST.exec(text);
  return match ? { algorithm: match[1]!, hex: match[2]! } : undefined;
}

/** The first 12 hex digits, as people see a digest in a terminal or on a page. */
export function shortDigest(digest: string): string {
  return (parseDigest(digest)?.hex ?? digest).slice(0, 12);
}

/**
 * Order of the UTF-8 bytes of two strings, as `Array.sort` wants it. JavaScript's default order is that of
 * UTF-16 code units and puts U+1F600 before U+FF5E; UTF-8 order is code point order.
 */
export function compareUtf8(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const xSurrogate = x >= 0xd800 && x <= 0xdfff;
    const ySurrogate = y >= 0xd800 && y <= 0xdfff;
    if (xSurrogate !== ySurrogate) return xSurrogate ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}
