import { WaybillError } from "../../core/errors.ts";
import type { Finding } from "../../core/finding.ts";
import { safeText } from "../../core/safe-text.ts";
import { evidenceTypes } from "../../flows/evidence-types.ts";
import { waybillHome } from "../../flows/home.ts";
import { imageSigners } from "../../flows/image-signers.ts";
import { type ImageVerdict, verifyImage } from "../../flows/image-verify.ts";
import { openImage } from "../../flows/open-image.ts";
import { type ExpectedSigner, loadVerifyKey } from "../../flows/verify-bundles.ts";
import { IMAGE_RULES } from "../../verify/image-rules.ts";
import type { Arguments, Run } from "../command.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { platformOf, registryAccess } from "../image-options.ts";
import type { Io } from "../io.ts";
import { renderFinding } from "../render/finding.ts";
import { shown } from "../render/shown.ts";

/** `waybill verify IMAGE`: the signatures of an image, or attestations of a type. */
export const run: Run = async (args, io) => {
  const { options, positionals } = args;
  if (positionals.length > 1) throw usage("one image at a time");
  if (options.format !== "text" && options.format !== "json")
    throw usage(
      `--format ${safeText(String(options.format))} is for folders; images are told as text or json`,
    );
  const signer = expectedSigner(options, io);
  const platform = platformOf(options.platform);
  const root = options["trusted-root"] as string | undefined;
  const signers = await imageSigners(signer, {
    trustedRoot: root ?? (signer.by === "identity" ? "sigstore-public" : undefined),
    requireLog: options["require-log"] === true,
    now: io.now(),
  });
  const verdict = await verifyImage(openImage(positionals[0]!, registryAccess(args, io)), {
    types: evidenceTypes((options.type as string | undefined) ?? "image"),
    signers,
    ...(platform === undefined ? {} : { platform }),
  });
  io.out(options.format === "json" ? `${JSON.stringify(asJson(verdict), null, 2)}\n` : asText(verdict, io));
  return exitCodeOf(verdict.outcome);
};

function expectedSigner(options: Arguments["options"], io: Io): ExpectedSigner {
  const text = (name: string) => options[name] as string | undefined;
  const [key, subject, issuer, trust] = ["key", "identity", "issuer", "trust"].map(text);
  const ways = [key, subject ?? issuer, trust].filter((each) => each !== undefined).length;
  if (ways > 1) throw usage("more than one way to say whose signature is accepted");
  if (key !== undefined) return { by: "key", publicKey: loadVerifyKey(key) };
  if (subject !== undefined && issuer !== undefined) return { by: "identity", subject, issuer };
  if (subject !== undefined || issuer !== undefined)
    throw usage("an identity is a subject and its issuer: --identity SAN --issuer URL");
  const file = trust ?? io.env.WAYBILL_TRUST;
  const digest = text("trust-digest");
  if (file) return { by: "trust", file, agent: text("agent"), digest, home: waybillHome(io.env) };
  throw usage("nothing says whose signature is accepted");
}

function asJson(verdict: ImageVerdict): object {
  const { outcome, image, digest, platform, accepted, findings, notes } = verdict;
  return {
    outcome,
    image,
    digest: `sha256:${digest}`,
    ...(platform ? { platform: { name: platform.name, digest: `sha256:${platform.digest}` } } : {}),
    accepted: accepted.map(({ layout, place, type, digest: about, by, established }) => ({
      layout,
      place,
      type,
      digest: `sha256:${about}`,
      by,
      signer: established.signer,
      times: established.times.map((time) => ({ ...time, at: new Date(time.at).toISOString() })),
      logged: established.logged.map(({ origin, logId, index, witnesses }) => ({
        origin,
        logId,
        index,
        witnesses,
      })),
    })),
    findings,
    notes,
  };
}

function asText(verdict: ImageVerdict, io: Io): string {
  const { outcome, image, digest, platform, accepted, findings, notes } = verdict;
  const { paint, width } = io;
  const allowed = outcome === "allow";
  const word = allowed ? paint("green", "✔ allowed") : paint("red", "✖ denied");
  const lines = [`${word}  ${shown(image)}  sha256:${digest}`];
  if (platform) lines.push(`  ${platform.name}  sha256:${platform.digest}`);
  for (const { by, place, type, established } of accepted) {
    const earliest = established.times.toSorted((a, b) => a.at - b.at)[0];
    const when = earliest
      ? `by ${new Date(earliest.at).toISOString()} (${shown(earliest.authority)})`
      : "at no proved time";
    const logged = established.logged.map(({ origin, index }) => `in ${shown(origin)} as ${index}`);
    lines.push(
      `  signed by ${shown(by)} ${[when, ...(logged.length > 0 ? logged : ["in no trusted log"])].join(", ")}`,
    );
    lines.push(`    ${shown(type)}`, `    ${place}`);
  }
  lines.push(...notes.map((note) => `  ${shown(note)}`));
  const options = {
    paint,
    width,
    severity: allowed ? ("note" as const) : ("error" as const),
    sources: new Map(),
  };
  // Beside a signature that counts, statements of other types are ordinary: a line says it.
  const isOrdinary = ({ code }: Finding) => allowed && code === IMAGE_RULES.otherType.code;
  lines.push(...findings.filter(isOrdinary).map(({ message }) => `  ${shown(message)}`));
  const told = findings.filter((finding) => !isOrdinary(finding));
  lines.push(...told.map((finding) => `\n${renderFinding(finding, options).trimEnd()}`));
  return `${lines.join("\n")}\n`;
}

function usage(message: string): WaybillError {
  return new WaybillError("WB-INPUT-007", message, {
    hint: "waybill verify IMAGE --key PUB.pem, --identity SAN --issuer URL, or --trust FILE",
  });
}
