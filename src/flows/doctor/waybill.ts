import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExpectedModelSigner } from "../model-verify.ts";
import type { Bench, BundleQuestion, Consumer, Diagnosis, ImageQuestion } from "./consumer.ts";
import { inPrivateFolder } from "./in-folder.ts";
import { authoritiesOf } from "./model-signing.ts";
import { methodOf } from "./model-signing-rules.ts";
import { hashOfCurve } from "./signed-with.ts";

/** Waybill's own verification of a bundle: form, signature, certificate, log entry and timestamps. */
export const waybill: Consumer = {
  name: "waybill",
  async diagnose(question, bench) {
    if (question.kind === "image") return diagnoseImage(question);
    return (await modelDiagnosis(question, bench)) ?? diagnose(question);
  },
};

/** Of a model's signature with the model at hand: the files too. Undefined for anything else. */
async function modelDiagnosis(question: BundleQuestion, bench: Bench): Promise<Diagnosis | undefined> {
  const { facts, key, artifact, file, trustedRoot, identity, issuer } = question;
  if ("problem" in facts || facts.content?.kind !== "dsse" || !artifact?.folder) return undefined;
  if (!facts.content.statement?.predicateType.startsWith("https://model_signing/")) return undefined;
  const method = methodOf(facts);
  return inPrivateFolder(async (folder) => {
    const roots = join(folder, "roots.pem");
    const signer: ExpectedModelSigner | undefined =
      method === "key" && key && hashOfCurve(key.key)
        ? { by: "key", publicKey: key.key }
        : method === "certificate" && trustedRoot?.given
          ? { by: "chain", file: roots }
          : method === "sigstore" && identity !== undefined && issuer !== undefined
            ? { by: "identity", subject: identity, issuer }
            : undefined;
    if (!signer) return undefined;
    if (signer.by === "chain") writeFileSync(roots, authoritiesOf(trustedRoot!.data));
    const { verifyModel } = await import("../model-verify.ts");
    const verdict = await verifyModel({
      path: artifact.path,
      signature: file.path,
      signer,
      trustedRoot: trustedRoot?.given ? trustedRoot.path : "sigstore-public",
      ignoreUnsignedFiles: false,
      now: new Date(),
      signal: bench.signal,
    });
    const { outcome, findings, notEvaluated } = verdict;
    const told = { allow: "accepts", deny: "refuses", "cannot-tell": "cannot tell" } as const;
    return {
      consumer: "waybill",
      how: "run",
      outcome: told[outcome],
      why: [...findings.map(({ message }) => message), ...notEvaluated],
      fix: [...new Set(findings.map(({ fix }) => fix))],
    };
  });
}

function diagnose(question: BundleQuestion): Diagnosis {
  const { own, facts, key } = question;
  const base = { consumer: "waybill" as const, how: "run" as const };
  if (own && "verified" in own) return { ...base, outcome: "accepts", why: [], fix: [] };
  if (own)
    return {
      ...base,
      outcome: "refuses",
      why: [own.problem],
      fix: ["sign again with `waybill sign`, or give the key, root or artifact that belongs to it"],
    };
  const byKey = !("problem" in facts) && facts.signer?.kind === "key";
  const missing =
    byKey && !key
      ? "signed by a key, and no key was given: say whose it should be with --key PUB"
      : "a signature over a file is checked by the file: give it with --artifact FILE (at most 64 MiB)";
  return { ...base, outcome: "cannot tell", why: [missing], fix: [] };
}

function diagnoseImage({ image, own }: ImageQuestion): Diagnosis {
  const base = { consumer: "waybill" as const, how: "run" as const };
  if (own && "verified" in own) return { ...base, outcome: "accepts", why: [], fix: [] };
  if (image.found.length === 0)
    return {
      ...base,
      outcome: "refuses",
      why: ["no signature was found beside the image"],
      fix: ["`waybill sign IMAGE`, `cosign sign IMAGE`"],
    };
  if (own)
    return {
      ...base,
      outcome: "refuses",
      why: [own.problem],
      fix: ["give the key or root that belongs to it, or sign again"],
    };
  return { ...base, outcome: "cannot tell", why: ["say whose key it should be with --key PUB"], fix: [] };
}
