import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One change of one byte in a copy of the agent. */
export interface Tampering {
  /** The kind of component that it touches, or `setting`. */
  what: string;
  /** Relative to the agent's folder. */
  path: string;
  /** Position of the changed byte. */
  offset: number;
}

/** One byte of each of the nine kinds, and of one setting. */
export function tamperings(folder: string): Tampering[] {
  const middle = (what: string, path: string): Tampering => ({
    what,
    path,
    offset: Math.floor(statSync(join(folder, path)).size / 2),
  });
  const after = (what: string, path: string, text: string): Tampering => {
    const at = readFileSync(join(folder, path)).indexOf(text);
    if (at === -1) throw new Error(`${path} does not hold ${text}`);
    return { what, path, offset: at + text.length };
  };
  const blobs = readdirSync(join(folder, "image/blobs/sha256")).map((name) => `image/blobs/sha256/${name}`);
  const layer = blobs.toSorted((a, b) => statSync(join(folder, b)).size - statSync(join(folder, a)).size)[0]!;
  return [
    middle("model", "model/intent.safetensors"),
    middle("dataset", "dataset/intents.jsonl"),
    middle("prompt", "prompts/system.md"),
    after("tool", "tools/helpdesk/tools.json", '"description": "'),
    middle("corpus", "corpus/returns.md"),
    middle("code", "src/agent.ts"),
    after("dependencies", "package-lock.json", '"name": "'),
    middle("image", layer),
    after("infra", "deploy/deployment.yaml", "name: "),
    after("setting", "waybill.yaml", "LOG_LEVEL: "),
  ];
}

/** Flips the lowest bit of that byte; a second call puts it back. */
export function flip(folder: string, { path, offset }: Tampering): void {
  const bytes = readFileSync(join(folder, path));
  bytes[offset]! ^= 1;
  writeFileSync(join(folder, path), bytes);
}
