import type { Json } from "../../core/canonical-json.ts";
import type { BundleFacts } from "./anatomy.ts";
import { baseOf } from "./bundle-obstacles.ts";
import type { BundleQuestion, Obstacle, Prediction } from "./consumer.ts";
import { fieldsOf, listOf } from "./fields.ts";
import { hashOfCurve, omsHint } from "./signed-with.ts";

const SIGNATURE = "https://model_signing/signature/v1.0";
const LEGACY = "https://model_signing/Digests/v0.1";
const V03 = "application/vnd.dev.sigstore.bundle.v0.3+json";
const STATEMENT = "https://in-toto.io/Statement/v1";
const OMS_FIX = "sign the model's folder: `waybill model sign FOLDER`";

/** The subcommand of `model_signing verify` that reads this bundle. */
export type Method = "key" | "certificate" | "sigstore";

/** By what the bundle says of its signer. */
export function methodOf(facts: BundleFacts): Method | undefined {
  if (facts.signer?.kind === "key") return "key";
  if (facts.signer?.kind === "certificate")
    return facts.signer.form === "certificate" ? "sigstore" : "certificate";
  return undefined;
}

/**
 * What `model_signing verify` will say, from the bundle's form and the key. Whether the files are the signed ones only
 * a run tells.
 *
 * Source: OMS v1.0, and sigstore/model-transparency 1.1.1: _signing/sign_sigstore_pb.py, sign_ec_key.py,
 * sign_certificate.py, signing.py; every rule is measured in `agreement.test.ts`.
 */
export function predictModelSigning(question: BundleQuestion): Prediction {
  const { facts, key, artifact, trustedRoot } = question;
  const notes: string[] = [];
  if ("problem" in facts)
    return {
      outcome: "refuses",
      obstacles: [
        { why: `it is not a bundle: ${facts.problem}`, fix: "give the bundle's own file, unchanged" },
      ],
      notes,
    };
  const other = otherThanModel(facts);
  const obstacles = other ? [other] : [...formObstacles(facts), ...signerObstacles(question)];
  if (obstacles.length > 0) return { outcome: "refuses", obstacles, notes };
  const method = methodOf(facts);
  if (method === "key" && !key) notes.push("say whose key it should be with --key PUB");
  if (method === "certificate" && !trustedRoot) notes.push("name the authorities with --trusted-root FILE");
  if (method === "sigstore")
    notes.push(
      "model_signing takes its trust for Sigstore certificates from the network or from a ClientTrustConfig: not run",
    );
  if (!artifact) notes.push("give the model with --artifact FOLDER: model_signing hashes its files");
  if (notes.length > 0) return { outcome: "cannot tell", obstacles, notes };
  return { outcome: "accepts", obstacles, notes: ["as far as the files are the signed ones"] };
}

/** Of a bundle about something else nothing more need be said. */
function otherThanModel({ content }: BundleFacts): Obstacle | undefined {
  if (content?.kind !== "dsse")
    return { why: "it is not over a statement, and a model signature is", fix: OMS_FIX };
  const type = content.statement?.predicateType;
  if (type === undefined || type === SIGNATURE || type === LEGACY) return undefined;
  return { why: `it is no model signature: its predicate is ${JSON.stringify(type)}`, fix: OMS_FIX };
}

function formObstacles(facts: BundleFacts): Obstacle[] {
  const found: Obstacle[] = [];
  const add = (why: string, fix: string) => found.push({ why, fix });
  if (facts.content?.kind !== "dsse") return found;
  const { statement, payloadType, signatures } = facts.content;
  if (facts.mediaType !== V03 && methodOf(facts) !== "sigstore")
    add(
      `its media type is ${JSON.stringify(facts.mediaType)}; model_signing wants ${V03} to the letter`,
      facts.version !== undefined && baseOf(facts.version) === "0.3"
        ? "write the media type in that form: it is not signed"
        : OMS_FIX,
    );
  if (!facts.signer) add("it names neither a key nor a certificate", OMS_FIX);
  if (signatures.length === 0) add("its envelope has no signature", OMS_FIX);
  if (payloadType !== "application/vnd.in-toto+json")
    add(`its payload is of type ${JSON.stringify(payloadType)}, not in-toto`, OMS_FIX);
  if (!statement) add("its payload is no in-toto statement", OMS_FIX);
  else {
    if (statement.type !== STATEMENT)
      add(`its statement is of type ${JSON.stringify(statement.type)}, not ${STATEMENT}`, OMS_FIX);
    if (statement.predicateType === SIGNATURE)
      found.push(...manifestObstacles(statement.subjects, statement.predicate));
  }
  return found;
}

function manifestObstacles(
  subjects: readonly { digest: Readonly<Record<string, string>> }[],
  predicate: Json | undefined,
): Obstacle[] {
  const found: Obstacle[] = [];
  if (subjects.length !== 1 || subjects[0]!.digest.sha256 === undefined)
    found.push({ why: "a model signature has exactly one subject, with a sha256", fix: OMS_FIX });
  const fields = fieldsOf(predicate);
  const serialization = fields?.object("serialization");
  const method = serialization?.text("method");
  const hashes = listOf(fields?.get("resources")).map((one) => fieldsOf(one)?.text("algorithm") ?? "none");
  const other = hashes.find((name) => name !== "sha256");
  if (
    !serialization ||
    listOf(fields?.get("resources")).some((one) => fieldsOf(one)?.text("digest") === undefined)
  ) {
    found.push({
      why: "its predicate has no resources or no serialization, which OMS v1.0 wants",
      fix: OMS_FIX,
    });
    return found;
  }
  if (method !== "files" && method !== "shards")
    found.push({
      why: `model_signing does not know the serialization ${JSON.stringify(method)}`,
      fix: OMS_FIX,
    });
  if (method === "shards")
    found.push({
      why: "model_signing 1.1.1 cannot check the shards of others: it names their hash sha256-sharded-<size> itself, and stops at its own",
      fix: "sign whole files (serialization method `files`)",
    });
  else if (other !== undefined)
    found.push({
      why: `model_signing's command line compares sha256 digests alone, and a file's is ${JSON.stringify(other)}`,
      fix: "sign with sha256 digests",
    });
  return found;
}

function signerObstacles({ facts, key: given, signedWith }: BundleQuestion): Obstacle[] {
  if ("problem" in facts || !given) return [];
  const { key } = given;
  const { signer } = facts;
  if (signer?.kind === "certificate")
    return [{ why: "it is signed by a certificate, and a key was given", fix: "leave --key out" }];
  const belongs = hashOfCurve(key);
  if (belongs === undefined)
    return [
      {
        why: `model_signing takes keys on P-256, P-384 and P-521 alone, not ${key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType}`,
        fix: "sign with a P-256 key: `waybill keys create`",
      },
    ];
  const found: Obstacle[] = [];
  const hint = signer?.hint;
  if (hint !== undefined && hint !== omsHint(key))
    found.push({
      why: `its key hint is ${JSON.stringify(hint.slice(0, 100))}; model_signing wants the hex SHA-256 of the key's PEM, as \`sha256sum key.pub\` prints it`,
      fix: `set verificationMaterial.publicKey.hint to ${omsHint(key)}: it is not signed, and cosign does not look at it`,
    });
  if (signedWith === "another key")
    found.push({ why: "its signature is not by this key", fix: "give the key that signed it with --key" });
  else if (signedWith !== undefined && signedWith !== belongs && signedWith !== "unknown")
    found.push({
      why: `it is signed over ${signedWith}, and OMS v1.0 binds this key's curve to ${belongs}`,
      fix: "sign again with the hash of the curve",
    });
  return found;
}
