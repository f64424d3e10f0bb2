import type { Json } from "../core/canonical-json.ts";
import type { Kind } from "../core/component.ts";
import type { Digest } from "../core/digest.ts";
import type { DeclaredComponent } from "../core/manifest.ts";
import type { FileLeaf, TreeLeaf } from "../core/tree.ts";
import type { ObservedProblem } from "./observed.ts";
import type { Selection } from "./select.ts";

/** What `describe` gives for a component whose files are all read. */
export interface Described {
  digest: Digest;
  mediaType: string;
  also?: Record<string, string>;
  document?: { [key: string]: Json };
}

/** What a kind is told when it describes a component. */
export interface DescribeInput {
  declared: DeclaredComponent;
  /** All leaves, in tree order, links included. */
  leaves: readonly TreeLeaf[];
  /** Only the files among them. */
  files: readonly FileLeaf[];
  /**
   * The bytes of one of the component's files, at most `limit`, checked against its leaf's SHA-256. What it throws
   * otherwise ends as the component's problem.
   */
  read(path: string, limit: number): Buffer;
}

/** What `detect` is told of a folder: every file, and its first bytes. */
export interface FolderView {
  /** Paths relative to the folder, in UTF-8 order. */
  files: readonly { path: string; size: number }[];
  /** At most `bytes` of the beginning of a file; empty where it cannot be read. */
  head(path: string, bytes: number): Buffer;
}

/** A component that `waybill init` proposes, with a few words on why. */
export interface Detected {
  declared: DeclaredComponent;
  because: string;
}

/** One of the nine kinds: how to find it, how to digest it, how to describe it. One file each. */
export interface ComponentKind {
  kind: Kind;
  /** One line, lower case. */
  about: string;
  /** True where the digest needs whole-file SHA-256 also of large files when it is verified. */
  wholeFiles?: boolean;
  detect(view: FolderView): Detected[];
  /** Chooses the files itself instead of taking the declared path. */
  select?(declared: DeclaredComponent, folder: string): Promise<Selection>;
  /** Gives the digest, or why there is none. */
  describe(input: DescribeInput): Described | ObservedProblem;
}
