import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { train } from "../training/train.ts";

/** The folder of the example. */
export const root = join(import.meta.dirname, "..");

/** A temporary folder that is removed at the end of the scope. */
export function tempDir(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), "support-agent-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A copy of the example with a freshly trained model, as it would be deployed. */
export function copyOfAgent(): Disposable & { path: string } {
  const dir = tempDir();
  const made = new Set(["model", "image", "node_modules", ".waybill"]);
  cpSync(root, dir.path, { recursive: true, filter: (source) => !made.has(basename(source)) });
  train(join(root, "dataset"), join(dir.path, "model"));
  return dir;
}
