import type { KeyObject } from "node:crypto";
import type { Hex } from "../core/digest.ts";
import type { Finding } from "../core/finding.ts";
import type { NoteVerifier } from "../core/note.ts";
import { parseStatement } from "../evidence/statement.ts";
import { MAX_NAMED_BUNDLE_BYTES, type ParsedBundle } from "../sign/bundle.ts";
import type { Established } from "../sign/established.ts";
import { keyHints } from "../sign/keys.ts";
import { parseSimpleSigning } from "../sign/simple-signing.ts";
import type { NamedRoot } from "../sign/trusted-root.ts";
import { verifyBundle } from "../sign/verify-bundle.ts";
import { IMAGE_RULES, type ImageRuleName } from "./image-rules.ts";

/** What `cosign sign` signs in the bundle layout; a signature of the tag layout means the same. */
export const IMAGE_SIGNATURE = "https://sigstore.dev/cosign/sign/v1";

/** Something that stands beside an image as a signature or an attestation. */
export type ImageEvidence = {
  /** `tag`: `sha256-….sig` and `.att`; `referrer`: a manifest whose subject is the image. */
  layout: "tag" | "referrer";
  /** For people: the tag or manifest that it was found under. */
  place: string;
} & (
  | { problem: string }
  /** `payload`: the bytes that a signature of the tag layout is over. */
  | { bundle: ParsedBundle; payload?: Buffer }
);

/** What is asked. */
export interface ImageQuestion {
  /** The manifest's digest, and that of the index that names it: a signature of either counts. */
  digests: readonly Hex[];
  /** The only predicate types that count. */
  types: readonly string[];
  /** Keys that may have signed. */
  keys: readonly KeyObject[];
  roots: readonly NamedRoot[];
  /** Trusted witnesses of logs. */
  witnesses?: readonly NoteVerifier[];
  /** Whether an entry in a trusted log is demanded. */
  requireLog: boolean;
  /** Who the signer of a statement of this type is to whoever asks: a name, or why it does not count. */
  whois(established: Established, type: string): { name: string } | { problem: string };
}

/** Evidence that counts. */
export interface AcceptedEvidence {
  layout: "tag" | "referrer";
  place: string;
  type: string;
  /** Which of the asked digests it is about. */
  digest: Hex;
  /** Who signed, as `whois` names them. */
  by: string;
  established: Established;
}

/**
 * Judges all that stands beside an image. A piece counts when its signature holds, its type is one that is asked
 * for, its subject is the image, and its signer is known: all four, whatever the registry says of it.
 *
 * @returns what counts, and a finding for each reason why other pieces do not
 */
export function judgeImage(
  evidence: readonly ImageEvidence[],
  question: ImageQuestion,
): { accepted: AcceptedEvidence[]; findings: Finding[] } {
  const accepted: AcceptedEvidence[] = [];
  const refused = new Map<ImageRuleName, string[]>();
  for (const piece of evidence) {
    const result = judgePiece(piece, question);
    if ("by" in result) accepted.push(result);
    else refused.set(result.rule, [...(refused.get(result.rule) ?? []), `${piece.place}: ${result.detail}`]);
  }
  const findings = ORDER.flatMap((name) => {
    const details = refused.get(name);
    return details ? [imageFinding(name, MESSAGES[name]!(details.length), details)] : [];
  });
  if (evidence.length === 0) findings.push(imageFinding("unsigned", "the image is not signed"));
  return { accepted, findings };
}

/** A finding of one of the image rules; at most twenty details are kept. */
export function imageFinding(name: ImageRuleName, message: string, details: string[] = []): Finding {
  const { code, why, fix } = IMAGE_RULES[name];
  const shown = details.length > 20 ? [...details.slice(0, 20), `and ${details.length - 20} more`] : details;
  return { code, message, why, fix, ...(shown.length > 0 ? { details: shown } : {}) };
}

/** What tells most comes first. */
const ORDER: readonly ImageRuleName[] = ["invalid", "otherDigest", "notTrusted", "otherType", "malformed"];
const count = (n: number, one: string, more: string) => (n === 1 ? `one ${one}` : `${n} ${more}`);
const MESSAGES: Partial<Record<ImageRuleName, (n: number) => string>> = {
  invalid: (n) => `${count(n, "signature does", "signatures do")} not hold`,
  otherDigest: (n) => `${count(n, "signature is", "signatures are")} for another image`,
  notTrusted: (n) => `${count(n, "signature is", "signatures are")} by somebody who is not trusted`,
  otherType: (n) =>
    `${count(n, "valid statement says", "valid statements say")} something else than was asked for`,
  malformed: (n) => `${count(n, "entry", "entries")} beside the image cannot be read as a signature`,
};

function judgePiece(
  piece: ImageEvidence,
  question: ImageQuestion,
): AcceptedEvidence | { rule: ImageRuleName; detail: string } {
  if ("problem" in piece) return { rule: "malformed", detail: piece.problem };
  const said = claimOf(piece.bundle, piece.payload);
  if ("problem" in said) return { rule: "malformed", detail: said.problem };
  const established = verified(piece.bundle, piece.payload, question);
  if ("rule" in established) return established;
  const { type, digests } = said;
  if (!question.types.includes(type)) return { rule: "otherType", detail: `a statement of type ${type}` };
  const digest = question.digests.find((asked) => digests.includes(asked));
  if (digest === undefined)
    return {
      rule: "otherDigest",
      detail: `it is for sha256:${digests[0] ?? "… nothing with a sha256 digest"}`,
    };
  const who = question.whois(established, type);
  if ("problem" in who) return { rule: "notTrusted", detail: who.problem };
  return { layout: piece.layout, place: piece.place, type, digest, by: who.name, established };
}

/** What a piece says, before anybody has looked at its signature. */
function claimOf(
  { content }: ParsedBundle,
  payload: Buffer | undefined,
): { type: string; digests: Hex[] } | { problem: string } {
  if (content.kind === "message") {
    if (payload === undefined) return { problem: "a signature over a file, not over a statement" };
    const simple = parseSimpleSigning(payload);
    return "problem" in simple ? simple : { type: IMAGE_SIGNATURE, digests: [simple.digest] };
  }
  // How large it may be was decided when it was fetched.
  const statement = parseStatement(content.payload, { maxBytes: MAX_NAMED_BUNDLE_BYTES });
  if ("problem" in statement) return statement;
  const digests = statement.subject.flatMap(({ digest }) => digest.sha256 ?? []);
  return { type: statement.predicateType, digests };
}

/** Tries the keys in turn: signatures of the tag layout name none. */
function verified(
  bundle: ParsedBundle,
  payload: Buffer | undefined,
  { keys, roots, witnesses, requireLog }: ImageQuestion,
): Established | { rule: ImageRuleName; detail: string } {
  const artifact = payload === undefined ? undefined : { bytes: payload };
  const authority = { roots, requireLog, ...(witnesses ? { witnesses } : {}) };
  if (bundle.signer.kind === "certificate") {
    const result = verifyBundle(bundle, { ...authority, findKey: () => undefined }, artifact);
    if (!("problem" in result)) return result;
    const { code, detail } = result.problem;
    // Nobody is trusted to certify anybody: the signature is not wrong, it is a stranger's.
    return { rule: roots.length === 0 ? "notTrusted" : "invalid", detail: `${detail} [${code}]` };
  }
  const { hints } = bundle.signer;
  let problem: string | undefined;
  for (const key of keys) {
    const result = verifyBundle(bundle, { ...authority, findKey: () => key }, artifact);
    if (!("problem" in result)) return result;
    // A bundle that names one of our keys and fails was tampered with; one that names no key may be a stranger's.
    const { keyId, cosign, oms } = keyHints(key);
    const named = hints.some((hint) => hint === keyId || hint === cosign || hint === oms);
    if (named || result.problem.code !== "WB-SIGN-003")
      problem = `${result.problem.detail} [${result.problem.code}]`;
  }
  if (problem !== undefined) return { rule: "invalid", detail: problem };
  return {
    rule: "notTrusted",
    detail: keys.length === 0 ? "signed by a key, and no key was named" : "signed by another key",
  };
}
