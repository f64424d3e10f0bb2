import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tool } from "../scripts/toolbox/find.ts";
import { sha256 } from "../src/core/digest.ts";
import { makeKeyBundle, parseBundle } from "../src/sign/bundle.ts";
import { generateKeyPair, publicKeyPem } from "../src/sign/keys.ts";
import { bundleOf, PrivateSigstore, signThing } from "../src/sign/private-sigstore.test.ts";
import { parseTrustedRoot } from "../src/sign/trusted-root.ts";
import { type Authority, verifyBundle } from "../src/sign/verify-bundle.ts";
import { installWaybill } from "./hash.ts";
import { type Contender, interleave, type Row, ratios } from "./measure.ts";

const TYPE = "https://example.com/bench/v1";
const MANY = 100;

export const bundle = {
  name: "bundle",
  description: "verifying attestations: one, and a hundred, against cosign; and how many a second",
  run,
};

async function run(signal: AbortSignal): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "waybill-bench-"));
  const home = process.env.WAYBILL_HOME;
  process.env.WAYBILL_HOME = join(folder, "home");
  mkdirSync(process.env.WAYBILL_HOME, { mode: 0o700 });
  try {
    const waybill = await installWaybill(join(folder, "waybill"), signal);
    const { files, key, artifact } = makeBundles(folder);
    const ours = (name: string, list: readonly string[]): Contender => ({
      name,
      command: [
        ...[process.execPath, waybill, "verify", ...list],
        ...["--key", key, "--artifact", artifact, "--type", TYPE],
      ],
    });
    const emptyRoot = join(folder, "trusted_root.json");
    writeFileSync(emptyRoot, '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}');
    const cosign2 = cosign("cosign2", [
      key,
      TYPE,
      artifact,
      "--new-bundle-format",
      "--trusted-root",
      emptyRoot,
    ]);
    const cosign3 = cosign("cosign3", [key, TYPE, artifact]);
    const rows: Row[] = [];
    for (const [name, list, theirs, rounds, goal] of [
      ["one bundle", files.slice(0, 1), [cosign3, cosign2], 25, 1 / 1.5],
      [`${MANY} bundles`, files, [cosign3], 3, 10],
    ] as const) {
      const contenders = theirs.map((each) => each(list));
      const times = await interleave([ours("verify", list), ...contenders], rounds, signal);
      rows.push(...ratios(name, ["verify"], contenders, times, { "verify cosign 3": goal }));
    }
    return [...rows, ...perSecond()];
  } finally {
    if (home === undefined) delete process.env.WAYBILL_HOME;
    else process.env.WAYBILL_HOME = home;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One call of cosign a bundle, each by the key alone, as ours. */
function cosign(
  name: "cosign2" | "cosign3",
  [key, type, artifact, ...more]: readonly [string, string, string, ...string[]],
): (bundles: readonly string[]) => Contender {
  const program = tool(name);
  const call = [
    ...["verify-blob-attestation", "--insecure-ignore-tlog"],
    ...["--key", key, "--type", type, ...more, artifact, "--bundle"],
  ];
  // Names stand in lines of their own: folders may have spaces in their names.
  const each = 'set -e; IFS="\n"; bundles=$1; shift; for bundle in $bundles; do "$@" "$bundle"; done';
  return (bundles) => {
    const command =
      program === undefined
        ? undefined
        : bundles.length === 1
          ? [program, ...call, bundles[0]!]
          : ["sh", "-c", each, "sh", bundles.join("\n"), program, ...call];
    return { name: name.replace("cosign", "cosign "), command };
  };
}

function statementOf(subject: string): string {
  return JSON.stringify({
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "artifact", digest: { sha256: subject } }],
    predicateType: TYPE,
    predicate: {},
  });
}

function makeBundles(folder: string): { files: string[]; key: string; artifact: string } {
  const { privateKey, publicKey } = generateKeyPair();
  const [key, artifact] = [join(folder, "key.pub"), join(folder, "artifact")];
  writeFileSync(key, publicKeyPem(publicKey));
  writeFileSync(artifact, "the artifact");
  const statement = statementOf(sha256("the artifact"));
  const files = Array.from({ length: MANY }, (_, i) => join(folder, `${i}.sigstore.json`));
  for (const file of files) writeFileSync(file, makeKeyBundle(statement, privateKey));
  return { files, key, artifact };
}

/** Verifications in one process on one core, by key and by certificate with log entry and timestamp. */
function perSecond(): Row[] {
  const sigstore = new PrivateSigstore();
  const root = parseTrustedRoot(sigstore.trustedRoot());
  if ("problem" in root) throw new Error(root.problem);
  const { privateKey, publicKey } = generateKeyPair();
  const authority: Authority = { roots: [{ name: "bench", root }], findKey: () => publicKey };
  const artifact = { sha256: sha256("the artifact") };
  const statement = statementOf(artifact.sha256);
  const signer = sigstore.certificate();
  const { data, signature } = signThing(signer, { statement });
  const keyless = bundleOf({ statement }, signature, signer, {
    entries: [sigstore.entry(sigstore.body(data, signature, signer, "0.0.2"))],
    timestamps: [sigstore.timestamp(signature)],
  });
  return [
    ["by key", makeKeyBundle(statement, privateKey)],
    ["by certificate, with log entry and timestamp", JSON.stringify(keyless)],
  ].map(([name, text]): Row => {
    const once = () => {
      const parsed = parseBundle(text!);
      if ("problem" in parsed || "problem" in verifyBundle(parsed, authority, artifact))
        throw new Error("refused");
    };
    for (let i = 0; i < 50; i += 1) once();
    const start = performance.now();
    let done = 0;
    for (; performance.now() - start < 1000; done += 1) once();
    const rate = Math.round((done * 1000) / (performance.now() - start));
    return { case: name!, ours: "one core", theirs: "", note: `${rate} a second` };
  });
}
