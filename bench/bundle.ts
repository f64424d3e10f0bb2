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
  description: "verifying attestations: one, and a hundred, against cosign 3; and how many a second",
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
    const ours = (name: string, list: string[]): Contender => ({
      name,
      command: [
        ...[process.execPath, waybill, "verify", ...list],
        ...["--key", key, "--artifact", artifact, "--type", TYPE],
      ],
    });
    const program = tool("cosign3");
    const cosign = (list: string[]): Contender => ({
      name: "cosign 3",
      command:
        program === undefined
          ? undefined
          : [
              ...[
                "sh",
                "-c",
                'set -e; cosign=$1 key=$2 type=$3 artifact=$4; shift 4; for each; do "$cosign" verify-blob-attestation --key "$key" --type "$type" --bundle "$each" --insecure-ignore-tlog "$artifact"; done',
              ],
              ...["sh", program, key, TYPE, artifact, ...list],
            ],
    });
    const rows: Row[] = [];
    const [first] = files;
    for (const [name, list, rounds, goal] of [
      ["one bundle", [first!], 15, 1 / 1.5],
      [`${MANY} bundles`, files, 5, 10],
    ] as const) {
      const theirs = cosign([...list]);
      const times = await interleave([ours("verify", [...list]), theirs], rounds, signal);
      rows.push(...ratios(name, ["verify"], [theirs], times, { "verify cosign 3": goal }));
    }
    return [...rows, ...perSecond()];
  } finally {
    if (home === undefined) delete process.env.WAYBILL_HOME;
    else process.env.WAYBILL_HOME = home;
    rmSync(folder, { recursive: true, force: true });
  }
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
