import { isUtf8 } from "node:buffer";

export { foldName } from "../core/fold-name.ts";

/**
 * A file name's bytes as text, or undefined when they are not UTF-8: such a name has no one spelling in JSON,
 * so it cannot stand in a tree.
 */
export function decodeName(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? bytes.toString("utf8") : undefined;
}

/** A name that is not UTF-8 as people see it: printable ASCII as it is, every other byte as `\xNN`. */
export function escapeBytes(bytes: Buffer): string {
  let text = "";
  for (const byte of bytes) {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    text += plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return text;
}

/** True when a name holds a control character: it would break lines and colours of whatever shows it. */
export function hasControl(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return /[\u0000-\u001f\u007f]/.test(name);
}
