import { isUtf8 } from "node:buffer";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { FolderFacts, PinnedFacts, TextFile } from "../checks/check.ts";
import { isLockfile, isScannedText, textKind } from "../checks/scanned-texts.ts";
import { compareEntries } from "../components/compare.ts";
import { type Observation, observe } from "../components/observe.ts";
import { componentId } from "../core/component.ts";
import { isLink } from "../core/tree.ts";
import { MAX_HEADER_BYTES, tensorRanges } from "../formats/safetensors-header.ts";
import type { HashProgress } from "../hash/pool.ts";
import { MAX_PINNED_TEXT, PinnedStore } from "../store/pinned-store.ts";
import type { AgentFolder } from "./agent-folder.ts";

/** Texts larger than this are not scanned, and said to be so; in bytes. Lockfiles are long by nature. */
const MAX_TEXT = 1 << 20;
const MAX_LOCKFILE = 32 << 20;

/** All texts together, in bytes; what is over it is not scanned, and said to be so. */
const MAX_ALL_TEXTS = 128 << 20;

/** YAML among them: taking it apart is some hundred times slower than reading it. */
const MAX_ALL_YAML = 8 << 20;

export interface FactsOptions {
  onProgress?: (progress: HashProgress) => void;
  signal?: AbortSignal;
  /** Only the claimed bytes: no texts for checks, and no look at what nobody claims. */
  claimedOnly?: boolean;
}

/** Reads an agent's folder for the checks: every claimed byte is hashed, scripts and the like are read as text. */
export async function collectFacts(agent: AgentFolder, options: FactsOptions = {}): Promise<FolderFacts> {
  const seen = await observe(agent.path, agent.manifest.manifest, {
    mode: "verify",
    lock: agent.lock,
    keepChunks: true,
    ...options,
  });
  return {
    manifest: agent.manifest,
    lock: agent.lock,
    components: seen.components,
    ...(options.claimedOnly ? { texts: [], unreadTexts: [] } : readTexts(seen)),
    unclaimed: seen.unclaimed,
    git:
      seen.git.state === "absent" ? seen.git : { state: "tracked", files: new Set(seen.git.entries.keys()) },
    pinned: agent.lock ? explainDifferences(agent, seen) : NONE,
  };
}

const NONE: PinnedFacts = {
  chunkHashes: new Map(),
  texts: new Map(),
  current: new Map(),
  tensors: new Map(),
};

function readTexts(seen: Observation): Pick<FolderFacts, "texts" | "unreadTexts"> {
  const texts: TextFile[] = [];
  const unreadTexts: { path: string; reason: string }[] = [];
  let total = 0;
  let yaml = 0;
  for (const { path, absolute, size } of seen.files) {
    if (!isScannedText(path)) continue;
    const limit = isLockfile(path) ? MAX_LOCKFILE : MAX_TEXT;
    const isYaml = ["yaml", "workflow"].includes(textKind(path)!);
    const isOver = size > limit || total + size > MAX_ALL_TEXTS || (isYaml && yaml + size > MAX_ALL_YAML);
    const bytes = isOver ? undefined : readHead(absolute, limit);
    if (bytes === undefined)
      unreadTexts.push({ path, reason: size > limit ? `larger than ${limit >> 20} MiB` : "not read" });
    else if (!isUtf8(bytes)) unreadTexts.push({ path, reason: "not UTF-8" });
    else {
      total += bytes.length;
      if (isYaml) yaml += bytes.length;
      texts.push({ path, text: bytes.toString("utf8") });
    }
  }
  return { texts, unreadTexts };
}

/** For files that differ from the lock: what was pinned, where the store has it, and what is there now. */
function explainDifferences(agent: AgentFolder, seen: Observation): PinnedFacts {
  const store = new PinnedStore(agent.path);
  const chunkHashes = new Map<string, Uint8Array>();
  const texts = new Map<string, string>();
  const current = new Map<string, string>();
  const tensors = new Map<string, ReturnType<typeof tensorRanges>>();
  for (const locked of agent.lock!.components) {
    const component = seen.components.find((c) => c.id === componentId(locked.leaf));
    if (!component) continue;
    for (const d of compareEntries(locked, component).slice(0, 20)) {
      const source = component.sources.get(d.path);
      if (d.what !== "changed" || !d.locked || isLink(d.locked) || source === undefined) continue;
      const path = component.prefix + d.path;
      const { chunks, sha256: digest } = d.locked;
      const pinned = chunks === undefined ? undefined : store.chunks(chunks);
      if (chunks !== undefined && pinned) chunkHashes.set(chunks, pinned);
      const text = chunks === undefined ? store.text(digest) : undefined;
      const now = text === undefined ? undefined : readHead(source, MAX_PINNED_TEXT);
      if (text !== undefined && now && isUtf8(now) && !now.includes(0)) {
        texts.set(digest, text);
        current.set(path, now.toString("utf8"));
      }
      if (path.endsWith(".safetensors"))
        tensors.set(path, tensorRanges(readHead(source, MAX_HEADER_BYTES) ?? Buffer.alloc(0)));
    }
  }
  return { chunkHashes, texts, current, tensors };
}

/** At most `limit` bytes of the beginning of a regular file; undefined where it cannot be read. */
export function readHead(absolute: string, limit: number): Buffer | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(absolute, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (!stat.isFile()) return undefined;
    const buffer = Buffer.alloc(Math.min(stat.size, limit));
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, 0));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
