import { componentId } from "../../core/component.ts";
import { shortDigest } from "../../core/digest.ts";
import { safeText } from "../../core/safe-text.ts";
import { diffSettings, type Settings } from "../../core/settings.ts";
import { lockFolder } from "../../flows/lock.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { bytes, ProgressLine } from "../progress.ts";

/** Names of the settings that changed; what components declare stands in their own lines. */
function changedSettings(before: Settings, after: Settings): string[] {
  const names = diffSettings(before, after)
    .filter(({ path }) => path[0] !== "components")
    .map(({ path }) => path.slice(0, path.findIndex((key) => typeof key === "number") >>> 0).join("."));
  return [...new Set(names)];
}

/** `waybill lock`: pins everything; the release digest is the last line. */
export const run: Run = async ({ options }, io) => {
  const progress = new ProgressLine(io, "locking");
  const outcome = await lockFolder(String(options.dir), {
    checksums: options.sha256sums === true,
    onProgress: progress.update,
    signal: io.signal,
  }).finally(() => progress.done());
  const { lock, previous, changed, files, checksums } = outcome;
  if (options.format === "json") {
    const components = lock.components.map((c) => ({ ...c.leaf, files: c.files.length }));
    const answer = {
      agent: lock.agent,
      release: lock.release,
      changed,
      files,
      components,
      ...(checksums ? { checksums } : {}),
    };
    io.out(`${JSON.stringify(answer, null, 2)}\n`);
    return EXIT.allowed;
  }
  const before = new Map(previous?.components.map((c) => [componentId(c.leaf), c.leaf.digest]));
  const width = Math.max(...lock.components.map((c) => c.leaf.name.length));
  for (const { leaf, files: own } of lock.components) {
    const old = before.get(componentId(leaf));
    const mark =
      previous === undefined || old === leaf.digest
        ? ""
        : old === undefined
          ? "  new"
          : `  was ${shortDigest(old)}`;
    const count = `${own.length} file${own.length === 1 ? "" : "s"}`.padStart(9);
    io.out(
      `${leaf.kind.padEnd(12)}  ${leaf.name.padEnd(width)}  ${shortDigest(leaf.digest)}  ${count}  ${bytes(leaf.size).padStart(9)}${io.paint("yellow", mark)}\n`,
    );
  }
  for (const id of before.keys())
    if (!lock.components.some((c) => componentId(c.leaf) === id)) {
      const [kind, name] = id.split("/") as [string, string];
      io.out(`${kind.padEnd(12)}  ${name.padEnd(width)}  ${io.paint("yellow", "no longer declared")}\n`);
    }
  const settings = previous === undefined ? [] : changedSettings(previous.settings, lock.settings);
  if (settings.length > 0)
    io.out(
      `${"settings".padEnd(12)}  ${io.paint("yellow", "changed")}  ${settings.map(safeText).join(", ")}\n`,
    );
  if (checksums) io.out(`\n${checksums} written: sha256sum --check ${checksums}\n`);
  io.out(`\n${changed ? "locked" : "unchanged"}  ${lock.agent}  ${io.paint("bold", lock.release)}\n`);
  if (changed) io.err("next: commit waybill.lock, then waybill sign\n");
  return EXIT.allowed;
};
