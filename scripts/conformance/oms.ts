import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { readOmsBundle } from "../../src/evidence/oms-bundle.ts";

/**
 * Runs the bundles of ossf/model-signing-spec's test vectors, searched deep in a folder. No keys come with them, so
 * accepted means well formed: those below a folder `valid` must be, those below one whose name begins with
 * `invalid` must not. A bundle below neither fails: nothing says what is expected of it.
 *
 * @throws Error when the folder holds no bundle or cannot be read
 */
export async function omsSuite(dir: string): Promise<{ passed: number; failed: string[] }> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && /(?<!\.schema)\.json$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  if (files.length === 0) throw new Error(`no bundles (*.json) below ${dir}`);
  let passed = 0;
  const failed: string[] = [];
  for (const file of files) {
    const name = relative(dir, file);
    const expected = expectation(name);
    const read = readOmsBundle(await readFile(file, "utf8"));
    const found = "problem" in read ? "refused" : "accepted";
    if (found === expected) passed += 1;
    else
      failed.push(
        `${name}: ${expected === undefined ? "not below valid or invalid*" : `${found}, expected ${expected}`}${"problem" in read ? ` (${read.problem})` : ""}`,
      );
  }
  return { passed, failed };
}

/** By the nearest folder that says it. */
function expectation(name: string): "accepted" | "refused" | undefined {
  const folder = name
    .split(/[/\\]/)
    .slice(0, -1)
    .findLast((part) => part === "valid" || part.startsWith("invalid"));
  if (folder === undefined) return undefined;
  return folder === "valid" ? "accepted" : "refused";
}
