import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Json } from "../../core/canonical-json.ts";
import { WaybillError } from "../../core/errors.ts";
import { parseStrictJson } from "../../core/strict-json.ts";
import { readFileBounded, readTextBounded } from "../../hash/read-file.ts";
import { parseBundle } from "../../sign/bundle.ts";
import { SIGSTORE_PUBLIC, SIGSTORE_PUBLIC_ROOT } from "../../sign/sigstore-public.ts";
import { MAX_TRUSTED_ROOT_BYTES, parseTrustedRoot } from "../../sign/trusted-root.ts";
import { type Artifact as Subject, verifyBundle } from "../../sign/verify-bundle.ts";
import { MAX_PATIENT_BYTES, takeApart } from "./anatomy.ts";
import type { Artifact, BundleQuestion, NamedFile } from "./consumer.ts";
import { signedWith } from "./signed-with.ts";

/** What a caller may say beside the bundle or image; paths relative to `cwd`. */
export interface Given {
  cwd: string;
  key?: string;
  identity?: string;
  issuer?: string;
  trustedRoot?: string;
  artifact?: string;
  /** `algorithm:hex`. */
  digest?: string;
}

const MAX_PEM = 16_384;
/** A signed file is read whole up to this size, to tell how its signature was made. */
const MAX_MESSAGE = 64 << 20;

/**
 * Reads a bundle and everything that was given with it, and has Waybill verify it.
 *
 * @throws WaybillError WB-INPUT-001 to -005 for files, -007 for a digest that is none, -006 for a trusted root that is
 *   none, -016 for a key that is none
 */
export async function askAboutBundle(target: string, given: Given): Promise<BundleQuestion> {
  const file = named(target, given.cwd);
  const text = readTextBounded(file.path, MAX_PATIENT_BYTES, { follow: true });
  const facts = takeApart(text);
  const question: BundleQuestion = { kind: "bundle", file, text, facts, ...readAuthorities(given) };
  if (given.artifact !== undefined) question.artifact = await readArtifact(named(given.artifact, given.cwd));
  if (given.digest !== undefined) question.digest = readDigest(given.digest);
  const byCertificate = !("problem" in facts) && facts.signer?.kind === "certificate";
  // Without another root a certificate is measured by Sigstore's public one, as everybody's cosign does.
  if (byCertificate && !question.trustedRoot) question.trustedRoot = publicRoot();
  const bytes = messageBytes(question);
  if (question.key && !("problem" in facts)) question.signedWith = signedWith(facts, question.key.key, bytes);
  const own = ownOpinion(question, bytes);
  if (own) question.own = own;
  return question;
}

/** Reads the key and the trusted root; throws as `askAboutBundle`. */
export function readAuthorities(
  given: Given,
): Pick<BundleQuestion, "key" | "trustedRoot" | "identity" | "issuer"> {
  return {
    ...(given.key === undefined ? {} : { key: readKey(named(given.key, given.cwd)) }),
    ...(given.trustedRoot === undefined
      ? {}
      : { trustedRoot: readRoot(named(given.trustedRoot, given.cwd)) }),
    ...(given.identity === undefined ? {} : { identity: given.identity }),
    ...(given.issuer === undefined ? {} : { issuer: given.issuer }),
  };
}

function named(given: string, cwd: string): NamedFile {
  return { given, path: resolve(cwd, given) };
}

function readKey(file: NamedFile): NamedFile & { pem: string; key: KeyObject } {
  const text = readTextBounded(file.path, MAX_PEM, { follow: true });
  const refused = (what: string, cause?: unknown) =>
    new WaybillError("WB-INPUT-016", `${file.path}: ${what}`, {
      hint: "--key wants the public key in PEM, as `waybill keys show` prints it",
      ...(cause === undefined ? {} : { cause }),
    });
  // createPublicKey would take one, and a copy of it would be made.
  if (text.includes("PRIVATE KEY")) throw refused("a private key stands where a public key belongs");
  try {
    const key = createPublicKey(text);
    return { ...file, key, pem: key.export({ type: "spki", format: "pem" }).toString() };
  } catch (cause) {
    throw refused("not a public key in PEM", cause);
  }
}

/** Its name is empty: in a command to paste cosign's own default means the same. */
function publicRoot(): NamedFile & { text: string; data: Json } {
  return { given: "", path: "", text: JSON.stringify(SIGSTORE_PUBLIC_ROOT), data: SIGSTORE_PUBLIC_ROOT };
}

function readRoot(file: NamedFile): NamedFile & { text: string; data: Json } {
  if (file.given === SIGSTORE_PUBLIC) return publicRoot();
  const text = readTextBounded(file.path, MAX_TRUSTED_ROOT_BYTES, { follow: true });
  let problem: string;
  try {
    const data = parseStrictJson(text, { maxBytes: MAX_TRUSTED_ROOT_BYTES });
    const root = parseTrustedRoot(data);
    if (!("problem" in root)) return { ...file, text, data };
    problem = root.problem;
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  throw new WaybillError("WB-INPUT-006", `${file.path}: ${problem}`, {
    hint: "--trusted-root wants a Sigstore trusted_root.json",
  });
}

function readDigest(text: string): { algorithm: string; hex: string } {
  const match = /^([a-z0-9][a-z0-9._-]{0,40}):((?:[0-9a-f]{2}){16,64})$/.exec(text);
  if (match) return { algorithm: match[1]!, hex: match[2]! };
  throw new WaybillError("WB-INPUT-007", "--digest: not a digest", {
    hint: "for example --digest sha256:<64 hex digits>",
  });
}

async function readArtifact(file: NamedFile): Promise<Artifact> {
  let stat: ReturnType<typeof statSync>;
  try {
    stat = statSync(file.path);
  } catch (cause) {
    throw new WaybillError("WB-INPUT-001", `${file.path} does not exist`, {
      hint: "check --artifact",
      cause,
    });
  }
  if (stat.isDirectory()) return { ...file, folder: true, digests: {} };
  if (!stat.isFile())
    throw new WaybillError("WB-INPUT-002", `${file.path} is neither a file nor a folder`, {
      hint: "check --artifact",
    });
  const hashes = ["sha256", "sha384", "sha512"].map((name) => ({ name, hash: createHash(name) }));
  try {
    for await (const chunk of createReadStream(file.path, {
      highWaterMark: 1 << 20,
      end: stat.size - 1 || 0,
    }))
      for (const { hash } of hashes) hash.update(chunk as Buffer);
  } catch (cause) {
    throw new WaybillError("WB-INPUT-002", `${file.path} cannot be read`, {
      hint: "check its permissions",
      cause,
    });
  }
  return {
    ...file,
    folder: false,
    digests: Object.fromEntries(hashes.map(({ name, hash }) => [name, hash.digest("hex")])),
  };
}

function messageBytes({ facts, artifact }: BundleQuestion): Buffer | undefined {
  if (!artifact || artifact.folder || "problem" in facts || facts.content?.kind !== "message")
    return undefined;
  try {
    return readFileBounded(artifact.path, MAX_MESSAGE, { follow: true });
  } catch (error) {
    if (error instanceof WaybillError && error.code === "WB-INPUT-003") return undefined;
    throw error;
  }
}

/** Waybill's own verification, where all that it needs was given. */
function ownOpinion(question: BundleQuestion, bytes: Buffer | undefined): BundleQuestion["own"] {
  const { text, key, trustedRoot, artifact, digest, facts } = question;
  const parsed = parseBundle(text, { maxBytes: MAX_PATIENT_BYTES });
  if ("problem" in parsed) return { problem: parsed.problem };
  if (parsed.signer.kind === "key" && !key) return undefined;
  if (parsed.signer.kind === "certificate" && key)
    return { problem: "it is signed by a certificate, and a key was given" };
  if (parsed.content.kind === "message" && !bytes) return undefined;
  const root = trustedRoot && parseTrustedRoot(trustedRoot.data);
  const roots = root && !("problem" in root) ? [{ name: trustedRoot.given || "sigstore-public", root }] : [];
  const sha256 = artifact?.digests.sha256 ?? (digest?.algorithm === "sha256" ? digest.hex : undefined);
  const subject: Subject | undefined = bytes ? { bytes } : sha256 === undefined ? undefined : { sha256 };
  const result = verifyBundle(parsed, { roots, findKey: () => key?.key }, subject);
  if ("problem" in result)
    return { problem: `${result.problem.detail} (${result.problem.code})`, code: result.problem.code };
  const wrong = wrongSigner(question, result.signer);
  if (wrong !== undefined) return { problem: wrong };
  if ("problem" in facts) return undefined;
  return {
    verified: true,
    ...(result.signer.kind === "certificate" ? { holder: result.signer.identity } : {}),
  };
}

/** Why a signer is not the one that the caller asked for; undefined where it is, or nothing was asked. */
export function wrongSigner(
  { identity, issuer }: { identity?: string | undefined; issuer?: string | undefined },
  signer: { kind: "key" } | { kind: "certificate"; identity: { subjects: string[]; issuer?: string } },
): string | undefined {
  if (signer.kind === "key") return undefined;
  const { subjects, issuer: actual } = signer.identity;
  if (identity !== undefined && !subjects.includes(identity))
    return `its certificate is for ${subjects.join(", ") || "nobody"}, not for ${identity}`;
  if (issuer !== undefined && issuer !== actual)
    return `its certificate was issued on the word of ${actual ?? "no issuer"}, not of ${issuer}`;
  return undefined;
}
