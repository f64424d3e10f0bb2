import { createHash } from "node:crypto";
import type { FileLeaf } from "./tree.ts";

/** What no OMS signature counts, at the top of a model (OpenSSF model signing v1.0, default ignores). */
export const OMS_IGNORED = [".git", ".gitattributes", ".github", ".gitignore"] as const;

const IGNORED = /^\.git(ignore|attributes|hub)?(\/|$)/;

/** True for a path of a model's tree that no OMS signature counts. */
export function isOmsIgnored(path: string): boolean {
  return IGNORED.test(path);
}

/**
 * Root of an OMS model signature over these files: SHA-256 of the concatenated raw SHA-256 digests in the
 * order of the names' code points, hex (OpenSSF model signing v1.0, "Serialization", method `files`).
 *
 * @param files in tree order, which is that order
 * @returns undefined when the method counts none of them
 */
export function omsRoot(files: readonly Pick<FileLeaf, "path" | "sha256">[]): string | undefined {
  const counted = files.filter((file) => !isOmsIgnored(file.path));
  if (counted.length === 0) return undefined;
  const hash = createHash("sha256");
  for (const file of counted) hash.update(Buffer.from(file.sha256, "hex"));
  return hash.digest("hex");
}
