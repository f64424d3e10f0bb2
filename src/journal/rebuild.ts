import { WaybillError } from "../core/errors.ts";
import type { Hash } from "../core/merkle.ts";
import { leafHash } from "../core/merkle.ts";
import { TILE_WIDTH } from "../core/tlog-tiles.ts";
import type { SequencedEntry, Sequencer, TreeNode } from "../store/sequencer.ts";
import { parseEntry } from "./entry.ts";
import { Frontier } from "./frontier.ts";
import type { JournalReader } from "./reader.ts";

/**
 * Makes the sequencer's database again from the published files: whatever was acknowledged is in them. Only inside of
 * `locked`, on an empty database.
 *
 * @param start RFC 3339: when the log was made, as its trusted root says
 * @throws WaybillError WB-STORE-003 the files do not give the root that the checkpoint signs
 */
export function rebuildSequencer(sequencer: Sequencer, reader: JournalReader, start: string): void {
  const { size, root } = reader.checkpoint();
  const frontier = new Frontier();
  const keepFrom = size - (size % TILE_WIDTH);
  for (let tile = 0; tile * TILE_WIDTH < size; tile += 1) {
    const entries: SequencedEntry[] = [];
    const nodes: TreeNode[] = [];
    for (const bytes of reader.bundle(tile, size)) {
      const leaf = leafHash(bytes);
      const body = Buffer.from(bytes).toString("utf8");
      entries.push({ index: frontier.size, leaf: hex(leaf), digest: digestOf(body), body, envelope: null });
      for (const node of frontier.push(leaf))
        if (node.index >= edge(size, node.level)) nodes.push({ ...node, hash: hex(node.hash) });
    }
    sequencer.restore(entries, nodes, keepFrom);
  }
  if (!Buffer.from(root).equals(frontier.root()))
    throw new WaybillError(
      "WB-STORE-003",
      `the entries in ${reader.folder} do not give the root of its checkpoint`,
      {
        hint: "waybill journal fsck; then put the damaged files back from a copy",
      },
    );
  sequencer.create({
    origin: reader.origin,
    logId: reader.key.logId,
    start,
    size,
    root: hex(root),
    published: size,
  });
}

/** What an entry's body is looked up by; empty for a body that is no hashedrekord. */
export function digestOf(body: string): string {
  const entry = parseEntry(body);
  return "problem" in entry ? "" : entry.digest.toString("hex");
}

/** The first node of a level's last, incomplete tile. */
function edge(size: number, level: number): number {
  const count = Math.floor(size / TILE_WIDTH ** level);
  return count - (count % TILE_WIDTH);
}

function hex(hash: Hash): string {
  return Buffer.from(hash).toString("hex");
}
