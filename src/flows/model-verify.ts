import { X509Certificate } from "node:crypto";
import { WaybillError } from "../core/errors.ts";
import type { Finding, Rule } from "../core/finding.ts";
import { safeText } from "../core/safe-text.ts";
import { OMS_LEGACY_TYPE, OMS_TYPE, type OmsManifest } from "../evidence/oms.ts";
import { readOmsBundle } from "../evidence/oms-bundle.ts";
import { compareOms, needsOnlySha256 } from "../evidence/oms-compare.ts";
import type { HashProgress } from "../hash/pool.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { MAX_NAMED_BUNDLE_BYTES, type ParsedBundle, signedBytes } from "../sign/bundle.ts";
import { verifyChain } from "../sign/certificate-chain.ts";
import { earliestTime, type Signer } from "../sign/established.ts";
import { verifyBundle } from "../sign/verify-bundle.ts";
import { verifySignature } from "../sign/verify-signature.ts";
import { BUNDLE_RULES, bundleFinding, refusalFinding } from "../verify/bundle-rules.ts";
import { comparisonFindings, modelFinding } from "../verify/model-findings.ts";
import { MODEL_RULES } from "../verify/model-rules.ts";
import { hashResources, MODEL_SIGNATURE } from "./model-facts.ts";
import { type ModelTree, openModel } from "./model-tree.ts";
import { type ExpectedSigner, loadPolicy, wayOut } from "./verify-bundles.ts";

/** Whose signature on a model is accepted. */
export type ExpectedModelSigner = ExpectedSigner | { by: "chain"; file: string };

export interface ModelVerifyRequest {
  /** The model's folder or file. */
  path: string;
  /** `model.sig` in the folder, or `FILE.sig`, when not given. */
  signature: string | undefined;
  signer: ExpectedModelSigner;
  /** For certificates of Fulcio: a file, or `sigstore-public`. */
  trustedRoot: string | undefined;
  /** Accept files that nobody signed; they are shown all the same. */
  ignoreUnsignedFiles: boolean;
  now: Date;
  onProgress?: (progress: HashProgress) => void;
  signal?: AbortSignal;
}

/** What became of a model. The published JSON is exactly this. */
export interface ModelVerdict {
  outcome: "allow" | "deny" | "cannot-tell";
  model: string;
  signature: string;
  /** Who signed, where the signature is good. */
  signedBy?: string;
  /** Present where the signer is the expected one. */
  signed?: {
    root: string;
    method: OmsManifest["method"];
    hashType: OmsManifest["hashType"];
    resources: number;
  };
  /** Resources whose digests were computed and are the signed ones. */
  compared: number;
  /** What denies. */
  findings: Finding[];
  /** What does not, and should be known. */
  advisory: Finding[];
  notEvaluated: string[];
}

/**
 * Verifies a model against an OMS signature: the signer first, then every signed file, and that there is no other.
 * Nothing is asked of the network.
 *
 * @throws WaybillError WB-INPUT-001..006 for files that cannot be read, or are no root, policy or certificate
 */
export async function verifyModel(request: ModelVerifyRequest): Promise<ModelVerdict> {
  const model = await openModel(request.path, request.signature);
  // As the user named them: what is printed can be pasted.
  const named = request.path.replace(/(.)\/+$/, "$1");
  const file = safeText(
    request.signature ?? (model.isSingleFile ? `${named}.sig` : `${named}/${MODEL_SIGNATURE}`),
  );
  const text = readSignature(model.signatureFile, file);
  const verdict: ModelVerdict = {
    outcome: "deny",
    model: safeText(named),
    signature: file,
    compared: 0,
    findings: [],
    advisory: [],
    notEvaluated: [],
  };
  const read = readOmsBundle(text);
  if ("problem" in read) {
    const message = `${file} is no model signature: ${read.problem}`;
    return {
      ...verdict,
      findings: [modelFinding(MODEL_RULES.malformed, {}, message, { path: file, final: true })],
    };
  }
  const { bundle, manifest } = read;
  const signer = await judgeSigner(bundle, manifest, request, file);
  if ("finding" in signer) {
    const { finding } = signer;
    return {
      ...verdict,
      findings: [request.signer.by === "trust" ? finding : { ...finding, ...wayOut(finding) }],
    };
  }
  const { version, root, method, hashType, resources } = manifest;
  const signed = { root, method, hashType, resources: resources.length };
  if (version === "v0.1") verdict.notEvaluated.push("a signature of model_signing 0.2: it states no root");
  return compare(model, manifest, request, { ...verdict, signedBy: signer.signedBy, signed });
}

function readSignature(path: string, named: string): string {
  try {
    return readTextBounded(path, MAX_NAMED_BUNDLE_BYTES, { follow: true });
  } catch (cause) {
    if (!(cause instanceof WaybillError) || cause.code !== "WB-INPUT-001") throw cause;
    throw new WaybillError(cause.code, `the model is not signed: ${named} does not exist`, {
      hint: "--signature FILE where it lies elsewhere; waybill model sign PATH makes one",
      cause,
    });
  }
}

async function compare(
  model: ModelTree,
  manifest: OmsManifest,
  request: ModelVerifyRequest,
  verdict: ModelVerdict,
): Promise<ModelVerdict> {
  const { files, links, problems } = model.walk;
  const computed = await hashResources(manifest, { files, links }, request);
  const comparison = compareOms(manifest, {
    files: needsOnlySha256(manifest)
      ? files.map(({ path, size }) => ({ path, size, sha256: computed.get(path)! }))
      : files,
    links,
    isSingleFile: model.isSingleFile,
    signature: model.signature,
    computed,
  });
  const place = {
    model: verdict.model,
    prefix: model.isSingleFile ? "" : `${verdict.model}/`,
    file: verdict.signature,
  };
  const found = comparisonFindings(comparison, place);
  const isAdvisory = ({ code }: Finding) =>
    code === MODEL_RULES.ignored.code || (request.ignoreUnsignedFiles && code === MODEL_RULES.unlisted.code);
  const findings = [
    ...problems.map(({ path, detail }) =>
      modelFinding(MODEL_RULES.changed, {}, `${place.prefix}${safeText(path)}: ${detail}`, {
        path: `${place.prefix}${safeText(path)}`,
        final: true,
      }),
    ),
    ...found.filter((finding) => !isAdvisory(finding)),
  ];
  const notEvaluated = [...verdict.notEvaluated];
  if (comparison.unread.length > 0)
    notEvaluated.push(
      `${comparison.unread.length} of ${manifest.resources.length} ${manifest.hashType} digests were not computed`,
    );
  const isUnread = comparison.unread.length > 0;
  return {
    ...verdict,
    outcome: findings.length > 0 ? "deny" : isUnread ? "cannot-tell" : "allow",
    compared: comparison.compared,
    findings,
    advisory: found.filter(isAdvisory),
    notEvaluated,
  };
}

async function judgeSigner(
  bundle: ParsedBundle,
  { version }: OmsManifest,
  request: ModelVerifyRequest,
  file: string,
): Promise<{ signedBy: string } | { finding: Finding }> {
  const { signer, now } = request;
  if (signer.by === "chain") return judgeChain(bundle, signer.file, now, file);
  if (signer.by === "key" && bundle.signer.kind !== "key")
    return {
      finding: bundleFinding(
        { code: "WB-SIGN-002", detail: "it is signed with a certificate, not with the key" },
        file,
      ),
    };
  const policy = await loadPolicy({
    ...{ files: [], artifact: undefined, types: undefined, requireLog: false },
    signer,
    trustedRoot: request.trustedRoot,
    now,
  });
  const established = verifyBundle(bundle, policy.authority);
  if ("problem" in established) return { finding: bundleFinding(established.problem, file) };
  const judged = policy.judge(established.signer, {
    predicateType: version === "v1.0" ? OMS_TYPE : OMS_LEGACY_TYPE,
    time: earliestTime(established),
  });
  if ("refused" in judged) {
    const { refused, detail } = judged;
    if (typeof refused === "string") return { finding: bundleFinding({ code: refused, detail }, file) };
    return { finding: refusalFinding(refused, detail, file) };
  }
  const who = describe(established.signer);
  return { signedBy: judged.principal === undefined ? who : `${judged.principal}, ${who}` };
}

/** A chain that the signer brings, under roots of the verifier (OMS v1.0), all valid now: nothing proves another time. */
function judgeChain(
  bundle: ParsedBundle,
  rootsFile: string,
  now: Date,
  file: string,
): { signedBy: string } | { finding: Finding } {
  const refused = (rule: Rule, detail: string) => ({ finding: refusalFinding(rule, detail, file) });
  const { signer, content, signature } = bundle;
  if (signer.kind !== "certificate")
    return refused(BUNDLE_RULES.chain, "it is signed with a key, not with a certificate");
  const problem = verifyChain(signer.chain, readCertificates(rootsFile), now);
  if (problem !== null) return refused(BUNDLE_RULES.chain, problem);
  const leaf = new X509Certificate(signer.chain[0]!);
  const invalid = verifySignature(signedBytes(content)!, signature, leaf.publicKey);
  if (invalid !== null) return { finding: bundleFinding({ code: "WB-SIGN-003", detail: invalid }, file) };
  return {
    signedBy: safeText(
      `certificate ${leaf.subject.replaceAll("\n", ", ") || leaf.subjectAltName || "without a name"}`,
    ),
  };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

function readCertificates(file: string): X509Certificate[] {
  const hint = "a file of certificates in PEM";
  const blocks = readTextBounded(file, 1 << 20, { follow: true }).match(CERTIFICATE) ?? [];
  if (blocks.length === 0)
    throw new WaybillError("WB-INPUT-006", `${safeText(file)} holds no certificate`, { hint });
  try {
    return blocks.map((pem) => new X509Certificate(pem));
  } catch (cause) {
    throw new WaybillError("WB-INPUT-006", `${safeText(file)} holds a damaged certificate`, { hint, cause });
  }
}

function describe(signer: Signer): string {
  if (signer.kind === "key") return `key ${signer.keyId.slice(0, 12)}`;
  const { subjects, issuer } = signer.identity;
  return safeText(`${subjects.join(", ")}${issuer === undefined ? "" : ` (${issuer})`}`);
}
