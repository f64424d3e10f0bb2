import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { Json } from "../../core/canonical-json.ts";
import { preAuthEncoding } from "../../sign/dsse.ts";
import { askAboutBundle, type Given } from "./bundle-question.ts";
import type { Bench, BundleQuestion, Diagnosis, Prediction } from "./consumer.ts";
import { CONSUMERS } from "./consumers.ts";
import { predictCosign } from "./cosign-rules.ts";
import { predictModelSigning } from "./model-signing-rules.ts";
import { omsHint } from "./signed-with.ts";

/** Kinds of keys that tests sign with, Waybill's own and others. */
export const KEY_KINDS = ["P-256", "P-384", "P-521", "ed25519", "rsa"] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

/** A key pair of any kind that somebody may sign with. */
export function keyPairOf(kind: KeyKind): { privateKey: KeyObject; publicKey: KeyObject } {
  if (kind === "ed25519") return generateKeyPairSync("ed25519");
  if (kind === "rsa") return generateKeyPairSync("rsa", { modulusLength: 2048 });
  return generateKeyPairSync("ec", { namedCurve: kind });
}

export const V03 = "application/vnd.dev.sigstore.bundle.v0.3+json";
export const IN_TOTO = "application/vnd.in-toto+json";

/** What of a bundle is to differ from an ordinary one. */
export interface Unusual {
  mediaType?: string;
  payloadType?: string;
  material?: { [field: string]: Json };
  /** `sha256` when not given; null for Ed25519. */
  hash?: string | null;
  signatures?: number;
}

/** A bundle over this statement by this key, right or wrong as `unusual` says. */
export function bundleOver(statement: Json, key: KeyObject, unusual: Unusual = {}): string {
  const payload = Buffer.from(JSON.stringify(statement), "utf8");
  const payloadType = unusual.payloadType ?? IN_TOTO;
  const hash = unusual.hash === undefined ? "sha256" : unusual.hash;
  const sig = sign(hash, preAuthEncoding(payloadType, payload), key).toString("base64");
  return JSON.stringify({
    mediaType: unusual.mediaType ?? V03,
    verificationMaterial: unusual.material ?? { publicKey: { hint: "a key" }, tlogEntries: [] },
    dsseEnvelope: {
      payload: payload.toString("base64"),
      payloadType,
      signatures: Array.from({ length: unusual.signatures ?? 1 }, () => ({ sig })),
    },
  });
}

/** A bundle with a signature over a file. */
export function messageBundle(file: Buffer, key: KeyObject, unusual: Unusual = {}): string {
  const hash = unusual.hash === undefined ? "sha256" : unusual.hash;
  return JSON.stringify({
    mediaType: unusual.mediaType ?? V03,
    verificationMaterial: unusual.material ?? { publicKey: { hint: "a key" } },
    messageSignature: {
      messageDigest: { algorithm: "SHA2_256", digest: createHash("sha256").update(file).digest("base64") },
      signature: sign(hash, file, key).toString("base64"),
    },
  });
}

/** A statement about one file. */
export function statementAbout(file: Buffer, other: { [field: string]: Json } = {}): Json {
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "artifact", digest: { sha256: createHash("sha256").update(file).digest("hex") } }],
    predicateType: "https://example.test/checked/v1",
    predicate: { checked: true },
    ...other,
  };
}

/** An OMS v1.0 statement about a model of these files; `by` is the name and the OpenSSL name of their hash. */
export function modelStatement(
  files: Readonly<Record<string, string>>,
  other: { [field: string]: Json } = {},
  serialization: { [field: string]: Json } = {},
  by: readonly [name: string, openssl: string] = ["sha256", "sha256"],
): Json {
  const resources = Object.entries(files).map(([name, text]) => ({
    name,
    algorithm: by[0],
    digest: createHash(by[1]).update(text).digest("hex"),
  }));
  const root = createHash("sha256");
  for (const { digest } of resources) root.update(Buffer.from(digest, "hex"));
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "model", digest: { sha256: root.digest("hex") } }],
    predicateType: "https://model_signing/signature/v1.0",
    predicate: {
      resources,
      serialization: { method: "files", hash_type: by[0], allow_symlinks: false, ...serialization },
    },
    ...other,
  };
}

/** verificationMaterial that names a key as OMS v1.0 does. */
export function omsMaterial(publicKey: KeyObject): { [field: string]: Json } {
  return { publicKey: { hint: omsHint(publicKey) }, tlogEntries: [] };
}

const PREDICT: Readonly<Record<string, (question: BundleQuestion) => Prediction>> = {
  cosign2: (question) => predictCosign(question, 2),
  cosign3: (question) => predictCosign(question, 3),
  model_signing: predictModelSigning,
};

/** Asks one program, and compares its answer with what the rules foresee. */
export async function agreed(
  name: "cosign2" | "cosign3" | "model_signing",
  target: string,
  given: Given,
  bench: Bench,
): Promise<Diagnosis & { foreseen: Prediction }> {
  const question = await askAboutBundle(target, given);
  const foreseen = PREDICT[name]!(question);
  const said = await CONSUMERS.find((consumer) => consumer.name === name)!.diagnose(question, bench);
  assert.equal(said.how, "run", JSON.stringify(said));
  if (foreseen.outcome !== "cannot tell")
    assert.equal(foreseen.outcome, said.outcome, `${name}: ${JSON.stringify({ foreseen, said })}`);
  if (said.outcome === "refuses") assert.ok(said.why.length > 0 && said.fix.length > 0);
  return { ...said, foreseen };
}
