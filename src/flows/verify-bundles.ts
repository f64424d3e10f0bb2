import type { KeyObject } from "node:crypto";
import type { Hex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import type { Finding, Rule } from "../core/finding.ts";
import { safeText } from "../core/safe-text.ts";
import { readFileBounded, readTextBounded } from "../hash/read-file.ts";
import { MAX_NAMED_BUNDLE_BYTES, type ParsedBundle, parseBundle } from "../sign/bundle.ts";
import type { BundleProblem } from "../sign/bundle-problem.ts";
import { type Artifact, verifyByKey } from "../sign/bundle-signature.ts";
import type { Established, LogInclusion, Signer, SigningTime } from "../sign/established.ts";
import { importPublicKey } from "../sign/keys.ts";
import { readSubjects } from "../sign/statement-subjects.ts";
import type { Authority } from "../sign/verify-bundle.ts";

// This file is on the path of a program that must start fast: what only some calls need is imported by them.

/** Largest file whose signature is verified, in bytes: all of it is held in memory. */
const MAX_ARTIFACT_BYTES = 1 << 30;

/** Whose signature is accepted. */
export type ExpectedSigner =
  | { by: "key"; publicKey: KeyObject }
  | { by: "identity"; subject: string; issuer: string }
  /** A principal of the operator's trust policy. */
  | {
      by: "trust";
      file: string;
      agent: string | undefined;
      /** Of the first policy to accept, `sha256:…`. */
      digest?: string | undefined;
      /** Waybill's home folder, where the version accepted last is remembered. */
      home?: string;
    };

export interface BundlesRequest {
  /** Paths of bundles. */
  files: readonly string[];
  signer: ExpectedSigner;
  /** A file, or `sigstore-public` for the shipped one; undefined: no log, authority or timestamp is trusted. */
  trustedRoot: string | undefined;
  /** What every bundle must be about; undefined: not compared, and said so. */
  artifact: { file: string } | { sha256: Hex } | undefined;
  /** Predicate types of which statements must have one. */
  types: readonly string[] | undefined;
  requireLog: boolean;
  now: Date;
}

/** What became of one bundle. The published JSON is a list of exactly this. */
export interface BundleOutcome {
  file: string;
  accepted: boolean;
  signer?: Signer;
  /** With a trust policy: whose signature it is. */
  principal?: string;
  times: { at: string; by: SigningTime["by"]; authority: string }[];
  logged: { origin: string; logId: Hex; index: number; witnesses: string[] }[];
  predicateType?: string;
  findings: Finding[];
  /** What was not looked at although a reader may think so. */
  notEvaluated: string[];
}

/** What bundles are verified against, loaded once for all of them. */
export interface LoadedPolicy {
  authority: Authority;
  /** Whether an established signer is the one that is asked for. */
  judge(
    signer: Signer,
    facts: {
      predicateType: string | undefined;
      time: number | undefined;
      /** Of a statement. */
      payload?: Buffer | undefined;
    },
  ): { principal?: string } | { refused: Rule | "WB-SIGN-002"; detail: string };
}

/**
 * Verifies bundles that lie in files, each against the same policy and artifact.
 *
 * @throws WaybillError WB-INPUT-001..004 a file, WB-INPUT-005/006 a trusted root or trust policy, WB-INPUT-018 a
 *   signature over a file is to be verified by the file's digest and `@noble/curves` is not installed
 */
export async function verifyBundles(request: BundlesRequest): Promise<BundleOutcome[]> {
  const policy = await loadPolicy(request);
  const verify = await verifierOf(policy.authority);
  const artifact = loadArtifact(request.artifact);
  const outcomes: BundleOutcome[] = [];
  for (const file of request.files)
    outcomes.push(await verifyOne(file, request, policy.judge, artifact, verify));
  return outcomes;
}

type Verify = (parsed: ParsedBundle, artifact?: Artifact) => Established | { problem: BundleProblem };

/** Where nothing but keys is trusted, nothing else is loaded. */
async function verifierOf(authority: Authority): Promise<Verify> {
  const { roots, findKey, requireLog } = authority;
  if (roots.length === 0 && !requireLog) return (parsed, artifact) => verifyByKey(parsed, findKey, artifact);
  const { verifyBundle } = await import("../sign/verify-bundle.ts");
  return (parsed, artifact) => verifyBundle(parsed, authority, artifact);
}

/** The policy of a request: its roots, its keys or identities. @throws as `verifyBundles` */
export async function loadPolicy(request: BundlesRequest): Promise<LoadedPolicy> {
  const { signer, trustedRoot, requireLog } = request;
  const roots =
    trustedRoot === undefined ? [] : [await (await import("./trusted-root-file.ts")).loadRoot(trustedRoot)];
  switch (signer.by) {
    case "key":
      return { authority: { roots, findKey: () => signer.publicKey, requireLog }, judge: acceptKey };
    case "identity":
      return {
        authority: { roots, findKey: () => undefined, requireLog },
        judge: (found) => judgeIdentity(found, signer),
      };
    case "trust": {
      const { trustPolicy } = await import("./verify-bundles-trust.ts");
      return trustPolicy(request);
    }
  }
}

/** What to do about a bundle that its caller named, with the signer he expects: it is nobody's release. */
export function wayOut({ code, fix }: Finding): { fix: string } {
  if (code === "WB-SIGN-003")
    return { fix: "give the key that signed it, or get it again from whoever made it" };
  if (code === "WB-SIGN-002")
    return { fix: "name the one who signed it: --key FILE, or --identity NAME --issuer URL" };
  return { fix };
}

function acceptKey(signer: Signer): ReturnType<LoadedPolicy["judge"]> {
  return signer.kind === "key" ? {} : { refused: "WB-SIGN-002", detail: NOT_BY_KEY };
}

const NOT_BY_KEY = "it is signed with a certificate, not with the key";

function judgeIdentity(
  found: Signer,
  { subject, issuer }: { subject: string; issuer: string },
): ReturnType<LoadedPolicy["judge"]> {
  if (
    found.kind === "certificate" &&
    found.identity.issuer === issuer &&
    found.identity.subjects.includes(subject)
  )
    return {};
  const who =
    found.kind === "key"
      ? "with a key"
      : `by ${found.identity.subjects.join(", ") || "nobody"}, vouched for by ${found.identity.issuer ?? "nobody"}`;
  return { refused: "WB-SIGN-002", detail: `it is signed ${who}` };
}

async function verifyOne(
  file: string,
  request: BundlesRequest,
  judge: LoadedPolicy["judge"],
  artifact: LazyArtifact | undefined,
  verify: Verify,
): Promise<BundleOutcome> {
  const refused = async (
    { code, detail }: { code: BundleProblem["code"] | Rule; detail: string },
    more: Partial<BundleOutcome> = {},
  ): Promise<BundleOutcome> => {
    const { bundleFinding, refusalFinding } = await import("../verify/bundle-rules.ts");
    const finding =
      typeof code === "string" ? bundleFinding({ code, detail }, file) : refusalFinding(code, detail, file);
    return {
      ...{ file, accepted: false, times: [], logged: [], notEvaluated: [] },
      ...more,
      findings: [request.signer.by === "trust" ? finding : { ...finding, ...wayOut(finding) }],
    };
  };
  const text = readTextBounded(file, MAX_NAMED_BUNDLE_BYTES, { follow: true });
  const parsed = parseBundle(text, { maxBytes: MAX_NAMED_BUNDLE_BYTES });
  if ("problem" in parsed) return refused({ code: "WB-SIGN-010", detail: parsed.problem });
  if (request.signer.by === "identity" && parsed.signer.kind === "key")
    return refused({ code: "WB-SIGN-002", detail: "it is signed with a key, which names no identity" });
  if (request.signer.by === "key" && parsed.signer.kind !== "key")
    return refused({ code: "WB-SIGN-002", detail: NOT_BY_KEY });
  const established = verify(parsed, await artifact?.of(parsed));
  if ("problem" in established) return refused(established.problem);
  const { signer, times, logged } = established;
  const predicateType = predicateTypeOf(parsed);
  const facts: Partial<BundleOutcome> = {
    signer,
    times: times.map(({ at, by, authority: name }) => ({
      at: new Date(at).toISOString(),
      by,
      authority: name,
    })),
    logged: logged.map(({ origin, logId, index, witnesses }: LogInclusion) => ({
      ...{ origin, logId, index, witnesses },
    })),
    ...(predicateType === undefined ? {} : { predicateType }),
  };
  if (request.types !== undefined && !request.types.includes(predicateType ?? ""))
    return refused(
      {
        code: "WB-SIGN-013",
        detail: `it is ${predicateType === undefined ? "a signature over a file, not a statement" : `a statement of type ${predicateType}`}`,
      },
      facts,
    );
  const earliest = times.length === 0 ? undefined : Math.min(...times.map(({ at }) => at));
  const payload = parsed.content.kind === "dsse" ? parsed.content.payload : undefined;
  const judged = judge(signer, { predicateType, time: earliest, payload });
  if ("refused" in judged) return refused({ code: judged.refused, detail: judged.detail }, facts);
  return {
    file,
    accepted: true,
    ...{ times: [], logged: [] },
    ...facts,
    ...judged,
    findings: [],
    notEvaluated: notEvaluated(parsed, request, established.logged.length),
  };
}

function notEvaluated(
  { content, logEntries }: ParsedBundle,
  request: BundlesRequest,
  logged: number,
): string[] {
  const missing: string[] = [];
  if (content.kind === "dsse" && request.artifact === undefined)
    missing.push(
      "no artifact was compared with the statement's subjects: give --artifact FILE or --digest sha256:HEX",
    );
  if (content.kind === "dsse" && request.types === undefined && request.signer.by !== "trust")
    missing.push("any type of statement was accepted: give --type TYPE");
  if (logEntries.length > 0 && logged === 0)
    missing.push(
      `its log entries are of no log that is trusted: ${request.signer.by === "trust" ? "waybill trust add --trusted-root FILE names one" : "name one with --trusted-root FILE"}`,
    );
  return missing;
}

function predicateTypeOf({ content }: ParsedBundle): string | undefined {
  if (content.kind !== "dsse") return undefined;
  const statement = readSubjects(content.payload);
  return "problem" in statement ? undefined : statement.predicateType;
}

/** The artifact, read when a bundle first needs it. */
interface LazyArtifact {
  of(parsed: ParsedBundle): Promise<Artifact>;
}

function loadArtifact(artifact: BundlesRequest["artifact"]): LazyArtifact | undefined {
  if (artifact === undefined) return undefined;
  if ("sha256" in artifact) {
    const { sha256 } = artifact;
    return {
      of: async ({ content }) => {
        if (content.kind === "dsse") return { sha256 };
        const { loadPrehashVerifier } = await import("../sign/prehash.ts");
        return { sha256, prehashed: await loadPrehashVerifier() };
      },
    };
  }
  let bytes: Buffer | undefined;
  return {
    of: async () => {
      bytes ??= readFileBounded(artifact.file, MAX_ARTIFACT_BYTES, { follow: true });
      return { bytes };
    },
  };
}

/** A public key out of a PEM file. @throws WaybillError WB-INPUT-001..004, WB-INPUT-016 */
export function loadVerifyKey(file: string): KeyObject {
  const text = readTextBounded(file, 1 << 16, { follow: true });
  try {
    return importPublicKey(text);
  } catch (cause) {
    if (!(cause instanceof WaybillError)) throw cause;
    throw new WaybillError(cause.code, `${safeText(file)}: ${cause.message}`, { hint: cause.hint, cause });
  }
}
