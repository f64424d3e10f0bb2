import { createHash } from "node:crypto";
import type { FileLeaf } from "./tree.ts";

const IGNORED = /^\.git(ignore|attributes|hub)?(\/|$)/;

/**
 * Root of an OMS model signature over these files: SHA-256 of the concatenated raw SHA-256 digests in the
 * order of the names' code points, hex (OpenSSF model signing v1.0, "Serialization", method `files`).
 *
 * @param files in tree order, which is that order
 * @returns undefined when the method counts none of them
 */
export function omsRoot(files: readonly FileLeaf[]): string | undefined {
  const counted = files.filter((file) => !IGNORED.test(file.path));
  if (counted.length === 0) return undefined;
  const hash = createHash("sha256");
  for (const file of counted) hash.update(Buffer.from(file.sha256, "hex"));
  return hash.digest("hex");
}
