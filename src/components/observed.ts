import type { Json } from "../core/canonical-json.ts";
import type { ComponentId, ComponentLeaf } from "../core/component.ts";
import type { DeclaredComponent } from "../core/manifest.ts";
import type { WalkProblemKind } from "../hash/walk.ts";

/** A file as it is on disk now. Digests are present as far as the mode of hashing computed them. */
export interface ObservedFile {
  /** Path inside the component's tree. */
  path: string;
  /** In bytes. */
  size: number;
  executable: boolean;
  /** Absent for a file over 1 MiB in `verify` mode: there the chunk root stands for it. */
  sha256?: string;
  /** Root of the chunk tree, hex; for files over 1 MiB. */
  chunks?: string;
  /** Hashes of the chunks, 32 bytes each; only where asked for. */
  chunkHashes?: Uint8Array;
}

export interface ObservedLink {
  path: string;
  link: string;
}

export type ObservedEntry = ObservedFile | ObservedLink;

/** Something in a component's place that cannot be digested. */
export interface ObservedProblem {
  /** Path inside the component's tree, made safe for display. */
  path: string;
  problem: WalkProblemKind | "missing" | "changed" | "malformed";
  detail: string;
}

/** A declared component as it is on disk now. */
export interface ObservedComponent {
  id: ComponentId;
  declared: DeclaredComponent;
  entries: ObservedEntry[];
  problems: ObservedProblem[];
  /** Document of kinds that digest one (tool). */
  document?: { [key: string]: Json };
  /** The component's leaf, where nothing is wrong and every byte was read. */
  leaf?: ComponentLeaf;
  /** Absolute path of the bytes behind each entry's path. */
  sources: ReadonlyMap<string, string>;
  /** Prefix that makes an entry's path relative to the agent's folder: "" for `paths` and for a path of `.`. */
  prefix: string;
  /** Paths in its place that are under no digest and yet belong there: signatures in an image's layout. */
  beside?: readonly string[];
}

/** True for an observed symbolic link. */
export function isObservedLink(entry: ObservedEntry): entry is ObservedLink {
  return "link" in entry;
}
