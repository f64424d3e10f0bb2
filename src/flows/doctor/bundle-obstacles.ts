import type { BundleFacts } from "./anatomy.ts";
import type { Obstacle } from "./consumer.ts";

const IN_TOTO = "application/vnd.in-toto+json";
const SUPPORTED = ["0.1", "0.2", "0.3"];

/** What sigstore-go counts at most: pkg/verify/signature.go and, from 1.2, internal/limits. */
const MAX_SUBJECTS = 1024;
const MAX_SUBJECT_DIGESTS = 32;
const MAX_ENTRIES = 32;

/**
 * What of a bundle's form every consumer that is built on sigstore-go refuses: cosign 2.4 and later, cosign 3,
 * policy-controller from 0.13 and Kyverno where they read bundles.
 *
 * Source: sigstore/sigstore-go 1.1.4 and 1.2.2, pkg/bundle/bundle.go `validate`, pkg/bundle/signature_content.go and
 * pkg/verify/signature.go; measured with cosign 2.6.5 and 3.1.3.
 *
 * @param allowsChains whether a certificate chain in a v0.3 bundle can be allowed by a flag
 */
export function formObstacles(facts: BundleFacts, allowsChains: boolean): Obstacle[] {
  const found: Obstacle[] = [];
  const add = (why: string, fix: string) => found.push({ why, fix });
  const { version, signer, entries } = facts;
  if (version === undefined || !SUPPORTED.includes(baseOf(version)))
    add(
      `its media type ${JSON.stringify(facts.mediaType)} is of no bundle version that is read (0.1, 0.2, 0.3)`,
      "sign again with a current signer: `waybill sign` and cosign write v0.3",
    );
  if (facts.unknown.length > 0)
    add(
      `it has fields that the bundle format does not know: ${facts.unknown.join(", ")}; protobuf readers stop there`,
      facts.unknown.some((place) => place.startsWith("verificationMaterial.publicKey."))
        ? "take rawBytes and keyDetails out of publicKey and leave the hint: they are not signed, and the key is given to the verifier"
        : "take these fields out: they are outside of the signed payload",
    );
  if (!signer)
    add(
      "it names neither a key nor a certificate",
      "sign again: verificationMaterial must have one of the two",
    );
  if (!facts.content)
    add("it holds neither a DSSE envelope nor a message signature", "sign again with a current signer");
  if (signer?.kind === "certificate" && signer.form === "x509CertificateChain" && !allowsChains)
    if (version !== undefined && baseOf(version) === "0.3")
      add(
        "it is a v0.3 bundle with a certificate chain, and v0.3 allows one certificate alone",
        "put the leaf alone into verificationMaterial.certificate and give the authorities to the verifier in a trusted root; or let a key sign",
      );
  const early = version === "0.1";
  if (entries.length > 0 && early && !entries.some((entry) => entry.promise))
    add(
      "a v0.1 bundle with a log entry needs that entry's inclusion promise (Rekor v1's SET)",
      "write the bundle as v0.3 with an inclusion proof",
    );
  if (entries.length > 0 && !early && !entries.some((entry) => entry.proof))
    add(
      "its log entry has no inclusion proof, which v0.2 and later need",
      "fetch the proof from the log, or let the signer write a v0.3 bundle",
    );
  if (entries.length > MAX_ENTRIES)
    add(`it has ${entries.length} log entries; ${MAX_ENTRIES} are read`, "keep one entry for each log");
  found.push(...contentObstacles(facts));
  return found;
}

function contentObstacles({ content }: BundleFacts): Obstacle[] {
  if (content?.kind !== "dsse") return [];
  const found: Obstacle[] = [];
  const add = (why: string, fix: string) => found.push({ why, fix });
  if (content.signatures.length !== 1)
    add(
      `its envelope has ${content.signatures.length} signatures; a bundle has exactly one`,
      "write a bundle for each signature",
    );
  if (content.payloadType !== IN_TOTO) {
    add(
      `its payload is of type ${JSON.stringify(content.payloadType)}, not ${IN_TOTO}`,
      "sign an in-toto statement: `waybill attest`, `cosign attest-blob`",
    );
    return found;
  }
  const { statement } = content;
  if (!statement) {
    add("its payload is not a JSON object, so no in-toto statement", "sign an in-toto statement");
    return found;
  }
  if (statement.unknown.length > 0)
    add(
      `its statement has fields that in-toto does not know: ${statement.unknown.slice(0, 5).join(", ")}`,
      "move them into the predicate and sign again",
    );
  const { predicate } = statement;
  if (
    predicate !== undefined &&
    (typeof predicate !== "object" || predicate === null || Array.isArray(predicate))
  )
    add("its predicate is not a JSON object", "wrap the predicate in an object and sign again");
  if (statement.subjects.length === 0)
    add(
      "its statement has no subject, so it is about nothing",
      "name the artifact's digest as subject and sign again",
    );
  if (statement.subjects.length > MAX_SUBJECTS)
    add(`it has ${statement.subjects.length} subjects; ${MAX_SUBJECTS} are read`, "split the statement");
  if (statement.subjects.some(({ digest }) => Object.keys(digest).length > MAX_SUBJECT_DIGESTS))
    add(`a subject has over ${MAX_SUBJECT_DIGESTS} digests`, "keep sha256 alone");
  return found;
}

/** 0.3.1 is read as 0.3. */
export function baseOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}
