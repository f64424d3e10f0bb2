import type { Hex } from "../../core/digest.ts";
import type { Descriptor } from "../../formats/oci.ts";
import { isLoopback } from "../../net/loopback.ts";
import { sigstorePublicRoot } from "../../sign/sigstore-public.ts";
import { type NamedRoot, parseTrustedRoot } from "../../sign/trusted-root.ts";
import { type ImageStore, referrersTag } from "../../store/image-store.ts";
import { IMAGE_SIGNATURE, type ImageEvidence } from "../../verify/image-judge.ts";
import { findEvidence } from "../image-evidence.ts";
import type { ImageSigners } from "../image-signers.ts";
import { verifyImage } from "../image-verify.ts";
import { openImage, type RegistryAccess, resolveImage } from "../open-image.ts";
import { takeApart } from "./anatomy.ts";
import { type Given, readAuthorities, wrongSigner } from "./bundle-question.ts";
import type { ImageQuestion } from "./consumer.ts";
import type { FoundSignature } from "./image-facts.ts";

/**
 * Looks up what stands beside an image in both of cosign's layouts, and has Waybill verify it.
 *
 * @param target an image reference, or `oci:FOLDER[:TAG]`
 * @throws WaybillError WB-INPUT-019 no reference, WB-INPUT-001 no such image, WB-NET-* as the registry answers, and as
 *   `askAboutBundle` for a key and a root
 */
export async function askAboutImage(
  target: string,
  given: Given,
  access: RegistryAccess,
): Promise<ImageQuestion> {
  const authorities = readAuthorities(given);
  const opened = openImage(target, access);
  const { digest } = await resolveImage(opened);
  const { store } = opened;
  const [host = ""] = opened.repository.split("/");
  const plainHttp = isLoopback(host.replace(/:\d+$/, "")) || (access.plainHttp ?? []).includes(host);
  const onDisk = target.startsWith("oci:");
  const { evidence } = await findEvidence(store, digest);
  const listed = new Map((await store.referrers(digest)).map((each) => [each.sha256, each]));
  const byTag = onDisk ? new Set<Hex>() : await listedByTag(store, digest);
  const found = evidence.map((piece) => foundSignature(piece, listed, byTag));
  const question: ImageQuestion = {
    kind: "image",
    digest,
    image: {
      given: target,
      ...(onDisk ? {} : { reference: `${opened.repository}@sha256:${digest}`, plainHttp }),
      found,
    },
    ...authorities,
  };
  const signers = signersOf(question);
  if (signers && found.length > 0) {
    const types = [
      ...new Set([IMAGE_SIGNATURE, ...found.flatMap(({ predicateType }) => predicateType ?? [])]),
    ];
    const verdict = await verifyImage(opened, { types, signers });
    const problem = verdict.findings[0]?.message ?? "none of its signatures counts";
    question.own = verdict.outcome === "allow" ? { verified: true } : { problem };
  }
  return question;
}

/** The key that was given, else Sigstore's certificates by the root that was given or the public one. */
function signersOf({ key, trustedRoot, identity, issuer, image }: ImageQuestion): ImageSigners | undefined {
  const byCertificate = image.found.some(
    ({ bundle, carries }) =>
      carries?.certificate || (bundle && !("problem" in bundle) && bundle.signer?.kind === "certificate"),
  );
  if (!key && !byCertificate) return undefined;
  const read = trustedRoot && parseTrustedRoot(trustedRoot.data);
  const root = read && !("problem" in read) ? read : sigstorePublicRoot();
  const roots: NamedRoot[] =
    key && !trustedRoot ? [] : [{ name: trustedRoot?.given ?? "sigstore-public", root }];
  return {
    keys: key ? [key.key] : [],
    roots,
    requireLog: false,
    whois({ signer }) {
      if (signer.kind === "key") return { name: "the key" };
      if (key) return { problem: "signed by a certificate, and a key was given" };
      const problem = wrongSigner({ identity, issuer }, signer);
      return problem === undefined ? { name: signer.identity.subjects.join(", ") } : { problem };
    },
  };
}

/** What the tag `sha256-<hex>` lists: registries without the referrers API have their list there. */
async function listedByTag(store: ImageStore, digest: Hex): Promise<Set<Hex>> {
  const manifest = (await store.read(referrersTag(digest)))?.manifest;
  return new Set(
    typeof manifest === "object" && manifest.isIndex ? manifest.blobs.map(({ sha256 }) => sha256) : [],
  );
}

function foundSignature(
  piece: ImageEvidence,
  listed: ReadonlyMap<Hex, Descriptor>,
  byTag: ReadonlySet<Hex>,
): FoundSignature {
  const read = "bundle" in piece ? takeApart(JSON.stringify(piece.bundle.json)) : { problem: piece.problem };
  const statement = "problem" in read || read.content?.kind !== "dsse" ? undefined : read.content.statement;
  const type = statement?.predicateType;
  const attested = type !== undefined && type !== IMAGE_SIGNATURE;
  const base = { place: piece.place, kind: attested ? ("attestation" as const) : ("signature" as const) };
  if (piece.layout === "tag") {
    const layout = piece.place.includes(".att") ? "tag .att" : "tag .sig";
    const kind = layout === "tag .att" ? "attestation" : "signature";
    if (!("bundle" in piece)) return { ...base, kind, layout, bundle: { problem: piece.problem } };
    const { signer, logEntries, timestamps } = piece.bundle;
    const carries = {
      certificate: signer.kind === "certificate",
      log: logEntries.length > 0,
      timestamp: timestamps.length > 0,
    };
    return { ...base, kind, layout, carries, ...(type === undefined ? {} : { predicateType: type }) };
  }
  const hex = piece.place.replace(/^.*sha256:/, "");
  const listedType = listed.get(hex)?.artifactType;
  return {
    ...base,
    layout: byTag.has(hex) ? "fallback tag" : "referrer",
    bundle: read,
    ...(type === undefined ? {} : { predicateType: type }),
    ...(listedType === undefined ? {} : { listedType }),
  };
}
