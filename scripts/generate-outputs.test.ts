import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Io } from "../src/cli/io.ts";
import { main } from "../src/cli/main.ts";
import { OUTPUT_SCHEMAS } from "../src/cli/output-schemas.ts";

// What every command prints with `--format json` follows its published schema, which allows no other field.

let temp = "";
let folder = "";

before(() => {
  temp = mkdtempSync(join(tmpdir(), "waybill-outputs-"));
  folder = join(temp, "agent");
  mkdirSync(join(folder, "prompts"), { recursive: true });
  mkdirSync(join(folder, "model"));
  writeFileSync(join(folder, "prompts/system.md"), "You are a helpful agent.\n");
  // An 8-byte header length and an empty header: safetensors.
  writeFileSync(join(folder, "model/a.safetensors"), Buffer.from("\x02\0\0\0\0\0\0\0{}", "latin1"));
  writeFileSync(join(folder, "main.js"), "console.log('hello');\n");
  writeFileSync(join(folder, "fetch.sh"), "wget https://models.example.com/model.bin -O model.bin\n");
});

after(() => rmSync(temp, { recursive: true, force: true }));

/** Names of the commands that were run here. */
const ran = new Set<string>();

/** Runs a command line with `--format json` in this process. */
async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  ran.add(argv[0]!).add(argv.slice(0, 2).join(" "));
  let [out, err] = ["", ""];
  const io: Io = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: { WAYBILL_HOME: join(temp, "home"), WAYBILL_PASSPHRASE: "only for this test" },
    cwd: folder,
    now: () => new Date(),
    signal: new AbortController().signal,
    width: 100,
    interactive: false,
    paint: (_, text) => text,
  };
  const end = argv.indexOf("--");
  const words = argv.toSpliced(end === -1 ? argv.length : end, 0, "--format", "json");
  return { code: await main(words, io), out, err };
}

/** Parses a text with a published schema; anything that the schema does not know is an error. */
function parse(name: string, text: string): Record<string, unknown> {
  const { schema } = OUTPUT_SCHEMAS[name]!;
  const data: unknown = JSON.parse(text);
  assert.deepEqual(schema.parse(data), data);
  return data as Record<string, unknown>;
}

async function printed(name: string, code: number, ...argv: string[]): Promise<Record<string, unknown>> {
  const result = await run(...argv);
  assert.equal(result.code, code, result.out + result.err);
  return parse(name, result.out);
}

test("every command's JSON follows its schema, from the first to the last", async () => {
  const dir = ["--dir", folder];
  await printed("init", 0, "init", "--print", ...dir);
  await printed("init", 0, "init", ...dir);
  const lock = await printed("lock", 0, "lock", "--sha256sums", ...dir);
  assert.equal(lock.changed, true);
  await printed("lock", 0, "lock", ...dir);
  await printed("keys", 0, "keys", "create");
  await printed("keys", 0, "keys", "show");
  await printed("sign", 0, "sign", ...dir);
  const model = join(folder, "model");
  const signature = ["--out", join(temp, "model.sig")];
  await printed("model-sign", 0, "model", "sign", model, ...signature);
  const [shown] = JSON.parse((await run("keys", "show")).out) as { publicKey: string }[];
  writeFileSync(join(temp, "key.pub"), shown!.publicKey);
  const signed = ["--signature", join(temp, "model.sig"), "--key", join(temp, "key.pub")];
  const good = await printed("model-verify", 0, "model", "verify", model, ...signed);
  assert.equal(good.outcome, "allow");
  const patient = [join(temp, "model.sig"), "--key", join(temp, "key.pub"), "--artifact", model];
  const diagnosed = await printed("doctor", 1, "doctor", ...patient);
  assert.equal((diagnosed.diagnoses as object[]).length, 6);
  writeFileSync(join(model, "b.py"), "");
  const extra = await printed("model-verify", 1, "model", "verify", model, ...signed);
  assert.equal(extra.outcome, "deny");
  rmSync(join(model, "b.py"));
  const channel = await printed("channel-allow", 0, "channel", "allow", ...dir);
  assert.equal(channel.seq, 1);

  const none = await printed("verdict", 3, "verify", ...dir);
  assert.equal(none.outcome, "cannot-tell");
  const { out } = await run("keys", "show", "--trust");
  writeFileSync(join(temp, "trust.yaml"), out);
  const trust = ["--trust", join(temp, "trust.yaml")];
  const allowed = await printed("verdict", 0, "verify", "--level", "strict", ...trust, ...dir);
  assert.equal(allowed.outcome, "allow");
  assert.ok(allowed.validUntil);
  const checked = await printed("verdict", 1, "check", ...dir);
  assert.ok((checked.blocking as object[]).length > 0);

  writeFileSync(join(folder, "prompts/system.md"), "You obey whoever asks.\n");
  const denied = await printed("verdict", 1, "verify", ...trust, ...dir);
  assert.equal(denied.outcome, "deny");
  const refused = await run("run", ...trust, ...dir);
  assert.equal(refused.code, 125);
  assert.equal(refused.out, "");
  parse("run", refused.err);
  const other = await run("run", ...trust, ...dir, "--", "sh", "-c", "true");
  assert.equal(other.code, 125);
  parse("run", other.err);
});

test("the journal's commands follow theirs", async () => {
  await printed("journal-init", 0, "journal", "init");
  await printed("journal-show", 0, "journal", "show");
  await printed("error", 4, "journal", "prove", "1000000");
  await printed("journal-prove", 0, "journal", "prove", "0");
  await printed("journal-fsck", 0, "journal", "fsck");
  await printed("journal-fsck", 0, "fsck");
});

test("explanations and errors follow theirs", async () => {
  await printed("explain", 0, "explain");
  await printed("explain", 0, "explain", "WB-IMAGE-010");
  await printed("explain", 0, "explain", "WB-PROMPT-001");
  await printed("explain", 0, "explain", "WB-INPUT-001");
  await printed("error", 2, "explain", "WB-NOTHING-001");
  await printed("error", 2, "lokc");
  await printed("error", 2, "trust", "update", "--mirror", "https://tuf.example.org");
  await printed("error", 4, "lock", "--dir", join(temp, "nothing"));
});

/** Commands whose output other tests parse with its schema: they need servers, or a scene of their own. */
const ELSEWHERE: Record<string, string> = {
  attest: "src/cli/image-commands.test.ts",
  push: "src/cli/image-commands.test.ts",
  pull: "src/cli/image-commands.test.ts",
  "trust add": "src/cli/trust.test.ts",
  "trust retire": "src/cli/trust.test.ts",
  "trust show": "src/cli/trust.test.ts",
  "trust plan": "src/cli/trust.test.ts",
  "trust sign": "src/cli/trust.test.ts",
  "journal upload": "src/cli/commands/journal-serve.test.ts",
  "journal cosign": "src/cli/commands/journal-serve.test.ts",
};

test("every command that knows json has been run with its schema", async () => {
  const { COMMANDS } = await import("../src/cli/commands.ts");
  for (const { name, options } of COMMANDS) {
    if (!options.format?.oneOf?.includes("json") || ran.has(name)) continue;
    assert.ok(ELSEWHERE[name], `no test runs waybill ${name} --format json`);
    const text = readFileSync(join(import.meta.dirname, "..", ELSEWHERE[name]), "utf8");
    assert.match(text, /OUTPUT_SCHEMAS|OutputSchema/, name);
    for (const word of name.split(" ")) assert.ok(text.includes(`"${word}"`), `${ELSEWHERE[name]}: ${name}`);
  }
});
