import type { Hex } from "./digest.ts";
import type { CheckResult, Door, Finding, Level } from "./finding.ts";

/** Where the trust policy came from. Found in the agent's own folder it is self-asserted: it proves nothing. */
export type TrustOrigin = "operator" | "self-asserted" | "none";

/** Something required or wished that could not be looked at. */
export interface NotEvaluated {
  code: string;
  reason: string;
  coverage: string;
  /** True when the level demands it, so that it alone makes "cannot tell". */
  required: boolean;
}

/** A principal whose signature counts, and by what it has signed: a key or an identity. */
export interface SignedBy {
  principal: string;
  /** Key id. */
  key?: Hex;
  /** Subject of the certificate, and in parentheses who vouches for it. */
  identity?: string;
}

/** What a door decided, with all that it saw. The published JSON of every face is exactly this. */
export interface Verdict {
  outcome: "allow" | "deny" | "cannot-tell";
  /** The one sentence that decides it: lower case, no full stop. */
  reason: string;
  door: Door;
  /** The target whose channel applies, such as `production`. */
  target: string;
  level: Level;
  agent: string;
  /** The release digest that the folder makes, where it makes one. */
  release?: Hex;
  trust: { origin: TrustOrigin; file?: string };
  /** Principals whose signatures on this release count. */
  signedBy: SignedBy[];
  /** Findings that block at this level. */
  blocking: Finding[];
  /** Findings that do not. */
  advisory: Finding[];
  notEvaluated: NotEvaluated[];
  /** Every result, in the order of evaluation. */
  results: CheckResult[];
  /** What the verdict rests on and cannot prove. */
  notes: string[];
  /** When the verdict was made and how long it stands, RFC 3339. */
  decidedAt: string;
  validUntil?: string;
}
