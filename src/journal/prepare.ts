import { createPublicKey } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { EMPTY_ROOT } from "../core/merkle.ts";
import { isKeyName } from "../core/note.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import type { Sequencer } from "../store/sequencer.ts";
import { type LogKey, logKey, makeLogKey, readLogKey } from "./log-key.ts";
import { encodeLogRoot, TRUSTED_ROOT_FILE } from "./log-root.ts";
import { openReader, readStart } from "./open-reader.ts";
import { CHECKPOINT_FILE } from "./reader.ts";
import { rebuildSequencer } from "./rebuild.ts";
import { setAside } from "./set-aside.ts";

/** A host name: cosign takes the host of a trusted root's `baseUrl` for the origin, and no path or port. */
const ORIGIN = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/**
 * Makes a new journal, or finds what an old one stands on: its key, and its database, made again from the files where it
 * is lost. Only inside of `locked`.
 *
 * @param create the origin of a new journal, when one is wanted
 * @param now when a new journal is made
 * @throws WaybillError WB-STORE-003 key, database and files do not belong together, WB-INPUT-007 not an origin,
 *   WB-STORE-001/002
 */
export function prepare(
  folder: string,
  sequencer: Sequencer,
  create: { origin?: string },
  now = new Date(),
): { key: LogKey; origin: string } {
  if (!sequencer.state()) {
    if (existsSync(join(folder, CHECKPOINT_FILE))) {
      rebuildSequencer(sequencer, openReader(folder), readStart(folder));
      setAside(folder, sequencer, now);
    } else if (existsSync(join(folder, "tile")))
      throw new WaybillError("WB-STORE-003", `${folder} has tiles but neither a checkpoint nor a database`, {
        hint: "put them back from a backup; a new log must not be made over the files of an old one",
      });
    else begin(folder, sequencer, create.origin, now);
  }
  const { origin, logId, start } = sequencer.state()!;
  const key = logKey(origin, readLogKey(folder));
  if (key.logId !== logId)
    throw new WaybillError("WB-STORE-003", `${join(folder, "key")} is not the key of this journal`, {
      hint: "put the journal's own key back from a backup",
    });
  if (!existsSync(join(folder, TRUSTED_ROOT_FILE)))
    writeFileAtomic(join(folder, TRUSTED_ROOT_FILE), encodeLogRoot(origin, key, start), { mode: 0o644 });
  return { key, origin };
}

function begin(folder: string, sequencer: Sequencer, wanted: string | undefined, now: Date): void {
  if (wanted !== undefined && !(ORIGIN.test(wanted) && isKeyName(wanted)))
    throw new WaybillError(
      "WB-INPUT-007",
      "a journal's origin is a host name in lower case, without port or path",
      {
        hint: "for example: waybill journal init --origin log.example.org",
      },
    );
  const privateKey = makeLogKey(folder);
  const raw = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const origin = wanted ?? `journal-${sha256(raw).slice(0, 8)}.waybill.local`;
  const { logId } = logKey(origin, privateKey);
  const start = now.toISOString().replace(/\.\d{3}Z$/, "Z");
  const root = Buffer.from(EMPTY_ROOT).toString("hex");
  sequencer.create({ origin, logId, start, size: 0, root, published: 0 });
}
