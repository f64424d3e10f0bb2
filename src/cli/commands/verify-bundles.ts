import { WaybillError } from "../../core/errors.ts";
import { waybillHome } from "../../flows/home.ts";
import {
  type BundleOutcome,
  type BundlesRequest,
  loadVerifyKey,
  verifyBundles,
} from "../../flows/verify-bundles.ts";
import type { Arguments, Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { renderBundles } from "../render/bundles.ts";

/** `waybill verify BUNDLE…`: Sigstore bundles, each against the same key, identity or trust policy. */
export const run: Run = async (args, io) => {
  const outcomes = await verifyBundles(await requestOf(args, io));
  if (args.options.format === "json") io.out(`${JSON.stringify(outcomes, null, 2)}\n`);
  else io.out(await renderBundles(outcomes, io));
  return outcomes.every(({ accepted }: BundleOutcome) => accepted) ? EXIT.allowed : EXIT.denied;
};

async function requestOf({ options, positionals }: Arguments, io: Io): Promise<BundlesRequest> {
  const text = (name: string) => options[name] as string | undefined;
  const type = text("type");
  if (options.format !== "text" && options.format !== "json")
    throw usage(`--format ${text("format")} is for folders; bundles are told as text or json`);
  const [file, digest] = [text("artifact"), text("digest")];
  if (file !== undefined && digest !== undefined) throw usage("--artifact and --digest are given both");
  const hex = digest === undefined ? undefined : /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (digest !== undefined && hex === undefined)
    throw usage("--digest is not sha256: and 64 lower-case hex digits");
  const signer = signerOf(text, io);
  // Nobody has a list of identities without an authority; Sigstore's public one is the one that most mean.
  const trustedRoot = text("trusted-root") ?? (signer.by === "identity" ? "sigstore-public" : undefined);
  if (signer.by === "trust" && trustedRoot !== undefined)
    throw usage("--trusted-root does not go with --trust, which names its own roots");
  return {
    files: positionals,
    signer,
    trustedRoot,
    artifact: file !== undefined ? { file } : hex === undefined ? undefined : { sha256: hex },
    types: type === undefined ? undefined : await typesOf(type),
    requireLog: options["require-log"] === true,
    now: io.now(),
  };
}

/** The predicate types of `--type`. Only short names need what is known of evidence, which takes long to load. */
async function typesOf(type: string): Promise<readonly string[]> {
  if (/^(?:https?:\/\/|urn:)\S{1,1000}$/.test(type)) return [type];
  return (await import("../../flows/evidence-types.ts")).evidenceTypes(type);
}

function signerOf(text: (name: string) => string | undefined, io: Io): BundlesRequest["signer"] {
  const [key, subject, issuer, trust] = ["key", "identity", "issuer", "trust"].map(text);
  const ways = [key, subject ?? issuer, trust].filter((each) => each !== undefined).length;
  if (ways !== 1)
    throw usage(
      ways === 0
        ? "nothing says whose signature is accepted"
        : "more than one way to say whose signature is accepted",
    );
  if (key !== undefined) return { by: "key", publicKey: loadVerifyKey(key) };
  if (trust !== undefined)
    return {
      by: "trust",
      file: trust,
      agent: text("agent"),
      digest: text("trust-digest"),
      home: waybillHome(io.env),
    };
  if (subject === undefined || issuer === undefined)
    throw usage("an identity is a subject and its issuer: --identity SAN --issuer URL");
  return { by: "identity", subject, issuer };
}

function usage(message: string): WaybillError {
  return new WaybillError("WB-INPUT-007", message, {
    hint: "waybill verify BUNDLE --key PUB.pem, --identity SAN --issuer URL, or --trust FILE",
  });
}
