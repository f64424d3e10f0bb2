import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { paintFor } from "../../cli/io.ts";
import { renderDiagnoses } from "../../cli/render/doctor-text.ts";
import { WaybillError } from "../../core/errors.ts";
import { takeApart } from "./anatomy.ts";
import type { Bench, Diagnosis } from "./consumer.ts";
import { doctor, overall } from "./doctor.ts";
import { bundleOver, keyPairOf, modelStatement, omsMaterial, statementAbout } from "./kit.test.ts";

// Programs that misbehave, names that try to become options or commands, and bundles that are none.

const root = mkdtempSync(join(tmpdir(), "waybill-doctor-hostile-"));
after(() => rmSync(root, { recursive: true, force: true }));
// Leftovers are looked for here, where no other test leaves its own.
process.env.TMPDIR = join(root, "tmp");
mkdirSync(process.env.TMPDIR);
const FILE = Buffer.from("an artifact\n");

/** A folder of programs, each a shell script. */
function programs(name: string, scripts: Readonly<Record<string, string>>): string {
  const folder = join(root, name);
  mkdirSync(folder);
  for (const [program, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, program), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, program), 0o755);
  }
  return folder;
}

const VERSION3 = `[ "$1" = version ] && { echo '{"gitVersion": "v3.9.9"}'; exit 0; }`;

function benchWith(path: string, timeoutMs = 60_000): Bench {
  return {
    env: {
      PATH: `${path}:/usr/bin:/bin`,
      HOME: root,
      SECRET_TOKEN: "s3cret",
      WAYBILL_COSIGN2: "",
      AWS_SECRET_ACCESS_KEY: "s3cret",
    },
    signal: new AbortController().signal,
    timeoutMs,
  };
}

function patient(
  name: string,
  inFolder = join(root, "in"),
): { cwd: string; target: string; key: string; artifact: string } {
  mkdirSync(inFolder, { recursive: true });
  const { privateKey, publicKey } = keyPairOf("P-256");
  writeFileSync(join(inFolder, name), bundleOver(statementAbout(FILE), privateKey));
  writeFileSync(join(inFolder, "key.pub"), publicKey.export({ type: "spki", format: "pem" }));
  writeFileSync(join(inFolder, "artifact"), FILE);
  return { cwd: inFolder, target: name, key: "key.pub", artifact: "artifact" };
}

async function cosign3(path: string, timeoutMs?: number): Promise<Diagnosis> {
  const [said] = await doctor({ ...patient("bundle.json"), only: ["cosign3"] }, benchWith(path, timeoutMs));
  return said!;
}

test("a program that hangs is stopped with all that it started", async () => {
  const mark = join(root, "still-alive");
  const path = programs("hangs", { cosign3: `${VERSION3}\n(sleep 3; touch ${mark}) &\nsleep 600` });
  const before = Date.now();
  const said = await cosign3(path, 1_000);
  assert.ok(Date.now() - before < 10_000);
  assert.deepEqual([said.outcome, said.why], ["cannot tell", ["cosign was stopped: it did not end in time"]]);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  assert.equal(existsSync(mark), false);
});

test("a program that prints without end is stopped", async () => {
  const said = await cosign3(programs("prints", { cosign3: `${VERSION3}\nexec yes` }));
  assert.deepEqual([said.outcome, said.why], ["cannot tell", ["cosign was stopped: it printed too much"]]);
});

test("a program that leaves a process behind does not keep the answer waiting", async () => {
  const before = Date.now();
  const said = await cosign3(programs("leaves", { cosign3: `${VERSION3}\nsleep 5 &\nexit 0` }));
  assert.equal(said.outcome, "accepts");
  assert.ok(Date.now() - before < 4_000);
});

test("nothing that a program prints is taken for an answer", async () => {
  const liar = await cosign3(programs("liar", { cosign3: `${VERSION3}\necho 'Verified OK'; exit 1` }));
  assert.deepEqual([liar.outcome, liar.said], ["refuses", "Verified OK"]);
  const whiner = await cosign3(programs("whiner", { cosign3: `${VERSION3}\necho 'Error: no'; exit 0` }));
  assert.equal(whiner.outcome, "accepts");
});

test("what it prints cannot redraw the terminal or command a runner", async () => {
  const said = await cosign3(
    programs("paints", { cosign3: `${VERSION3}\nprintf '::error::\\033[2Jgone\\n'; exit 1` }),
  );
  const text = renderDiagnoses([said], "bun\ndle\u001b[2J.json", { paint: paintFor(false, {}), width: 80 });
  assert.equal(text.includes("\u001b"), false);
  assert.equal(text.includes("::error"), false);
  assert.equal(text.split("\n")[0], "bun\\u{a}dle\\u{1b}[2J.json");
});

test("programs get no secrets, no settings and no way to the network", async () => {
  const seen = join(root, "environment");
  const path = programs("looks", { cosign3: `${VERSION3}\nenv > ${seen}; pwd >> ${seen}; exit 0` });
  await cosign3(path);
  const text = readFileSync(seen, "utf8");
  assert.equal(text.includes("s3cret"), false);
  assert.match(text, /^HTTPS_PROXY=http:\/\/127\.0\.0\.1:9$/m);
  const home = /^HOME=(.*)$/m.exec(text)![1]!;
  assert.notEqual(home, root);
  assert.equal(existsSync(home), false, "the private folder is gone");
});

test("programs beside the bundle or in the working folder are not run", async () => {
  const here = join(root, "trap");
  const given = patient("bundle.json", here);
  writeFileSync(join(here, "cosign3"), `#!/bin/sh\n${VERSION3}\ntouch ${join(root, "trapped")}\nexit 0\n`);
  chmodSync(join(here, "cosign3"), 0o755);
  const bench = benchWith("");
  bench.env = { PATH: ":.:trap", HOME: root };
  const [said] = await doctor({ ...given, only: ["cosign3"] }, bench);
  assert.equal(said!.how, "not installed");
  assert.equal(existsSync(join(root, "trapped")), false);
});

test("names with dashes, newlines and quotes reach programs as files, and commands quoted", async () => {
  const path = programs("words", {
    cosign3: `${VERSION3}\nfor word in "$@"; do case "$word" in --bundle=*) test -f "\${word#--bundle=}" || exit 9;; esac; done; exit 0`,
  });
  for (const name of ["--key=evil", "-x", "a\nb", "it's; rm -rf $HOME", "ünï code"]) {
    const given = { ...patient(name), target: `./${name}`, artifact: "artifact", only: ["cosign3"] as const };
    const [said] = await doctor(given, benchWith(path));
    assert.equal(said!.outcome, "accepts", name);
    assert.match(said!.command!, /^cosign verify-blob-attestation /);
    if (name.includes("rm -rf")) assert.match(said!.command!, /'--bundle=\.\/it'\\''s; rm -rf \$HOME'/);
  }
});

test("a model's own signature inside of its folder is left out by name", async () => {
  const words = join(root, "words.txt");
  const path = programs("model", {
    model_signing: `[ "$1" = --version ] && { echo 'model_signing, version 1.1.1'; exit 0; }\nprintf '%s\\n' "$@" > ${words}`,
  });
  const folder = join(root, "a model");
  mkdirSync(folder);
  const { privateKey, publicKey } = keyPairOf("P-256");
  writeFileSync(
    join(folder, "model.sig"),
    bundleOver(modelStatement({}), privateKey, { material: omsMaterial(publicKey) }),
  );
  writeFileSync(join(root, "model.pub"), publicKey.export({ type: "spki", format: "pem" }));
  const request = {
    cwd: root,
    target: "./a model/model.sig",
    key: "model.pub",
    artifact: "a model",
    only: ["model_signing"] as const,
  };
  const [said] = await doctor(request, benchWith(path));
  assert.equal(said!.outcome, "accepts");
  assert.match(readFileSync(words, "utf8"), /^--ignore-paths=.*a model\/model\.sig$/m);
});

test("a bundle of 20 MiB is refused before it is read, a private key before it is copied", async () => {
  const given = patient("big.json");
  writeFileSync(join(given.cwd, "big.json"), Buffer.alloc(20 << 20, " "));
  const code = (wanted: string) => (error: unknown) => error instanceof WaybillError && error.code === wanted;
  await assert.rejects(doctor(given, benchWith("")), code("WB-INPUT-003"));
  const { privateKey } = keyPairOf("P-256");
  const secret = patient("bundle.json");
  writeFileSync(join(secret.cwd, "key.pub"), privateKey.export({ type: "pkcs8", format: "pem" }));
  await assert.rejects(doctor(secret, benchWith("")), code("WB-INPUT-016"));
  await assert.rejects(doctor({ cwd: root, target: "./nothing.json" }, benchWith("")), code("WB-INPUT-001"));
  await assert.rejects(
    doctor({ cwd: root, target: "No Such Image", registries: { env: {} } }, benchWith("")),
    code("WB-INPUT-019"),
  );
});

test("any text is taken apart or told to be none, and everybody is asked about it", async () => {
  const texts = [
    "",
    "null",
    "[]",
    "{}",
    '{"mediaType":7}',
    '{"verificationMaterial":[]}',
    '{"dsseEnvelope":{"payload":"!!!","signatures":7}}',
    '{"dsseEnvelope":{"payloadType":"application/vnd.in-toto+json","payload":"bnVsbA==","signatures":[null]}}',
    '{"verificationMaterial":{"x509CertificateChain":{"certificates":[{"rawBytes":"AAAA"},null]},"tlogEntries":[null,{"kindVersion":4}]}}',
    '{"__proto__":{"mediaType":"x"}}',
    "{".repeat(5_000),
    `{"a":"${"x".repeat(100_000)}"}`,
    "\ufeff{}",
    '{"a":1,"a":2}',
  ];
  const path = programs("no", { cosign2: "exit 1", cosign3: "exit 1", model_signing: "exit 1" });
  const given = patient("bundle.json");
  for (const text of texts) {
    takeApart(text);
    writeFileSync(join(given.cwd, "bundle.json"), text);
    const said = await doctor(given, benchWith(path));
    assert.equal(said.length, 6);
    assert.ok(
      said.every(({ outcome }) => outcome === "refuses"),
      `${text.slice(0, 80)}: ${JSON.stringify(said)}`,
    );
    assert.equal(overall(said), "deny");
  }
});

test("nothing is left in the temporary folder", () => {
  assert.deepEqual(readdirSync(tmpdir()), []);
});
