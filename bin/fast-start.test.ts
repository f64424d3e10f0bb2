import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { joinModules } from "../scripts/join-modules.ts";
import { sha256 } from "../src/core/digest.ts";
import { makeKeyBundle } from "../src/sign/bundle.ts";
import { generateKeyPair, publicKeyPem } from "../src/sign/keys.ts";

// What is loaded to verify one bundle by a key, in the sources and in the package. How long that takes is measured by
// `npm run bench -- bundle`, never here.

const ROOT = join(import.meta.dirname, "..");
const TYPE = "https://example.com/fast/v1";
const HOOK = `import { registerHooks } from "node:module";
registerHooks({ resolve(specifier, context, next) {
  const found = next(specifier, context);
  process._rawDebug(found.url);
  return found;
} });`;
let temp = "";
let dist = "";

before(() => {
  temp = mkdtempSync(join(tmpdir(), "waybill-start-"));
  const { privateKey, publicKey } = generateKeyPair();
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "artifact", digest: { sha256: sha256("the artifact") } }],
    ...{ predicateType: TYPE, predicate: {} },
  };
  writeFileSync(join(temp, "key.pub"), publicKeyPem(publicKey));
  writeFileSync(join(temp, "artifact"), "the artifact");
  writeFileSync(join(temp, "bundle.json"), makeKeyBundle(JSON.stringify(statement), privateKey));
  writeFileSync(join(temp, "hook.mjs"), HOOK);
  const root = join(temp, "package");
  dist = join(root, "dist");
  mkdirSync(join(root, "bin"), { recursive: true });
  for (const file of ["bin/waybill.js", "package.json"]) cpSync(join(ROOT, file), join(root, file));
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"), "junction");
  const tsc = [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", join(ROOT, "tsconfig.build.json")];
  const built = spawnSync(process.execPath, [...tsc, "--outDir", dist], { encoding: "utf8" });
  assert.equal(built.status, 0, built.stdout);
  cpSync(dist, join(temp, "plain"), { recursive: true });
  joinModules(dist);
});
after(() => rmSync(temp, { recursive: true, force: true }));

function run(script: string, ...args: string[]) {
  const env = { ...process.env, WAYBILL_HOME: join(temp, "home") };
  const hook = ["--import", join(temp, "hook.mjs")];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...hook, script, ...args], {
    ...{ encoding: "utf8", env, cwd: temp },
  });
  return {
    status,
    stdout,
    loaded: stderr.split("\n").filter((line) => /^(?:file|node):/.test(line)),
    stderr,
  };
}

const VERIFY = ["verify", "bundle.json", "--key", "key.pub", "--artifact", "artifact", "--type", TYPE];

test("to verify a bundle by a key no package is loaded, and of Node's own modules none is imported", () => {
  const { status, stdout, loaded, stderr } = run(join(ROOT, "bin/waybill.js"), ...VERIFY);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^✔ bundle\.json {2}key [0-9a-f]{12} /);
  assert.ok(loaded.length > 10);
  assert.deepEqual(
    loaded.filter((url) => url.includes("/node_modules/") || url.startsWith("node:")),
    [],
  );
});

test("the package does the same out of a few files", () => {
  const { status, loaded, stderr } = run(join(temp, "package/bin/waybill.js"), ...VERIFY);
  assert.equal(status, 0, stderr);
  const names = loaded.map((url) => url.replace(/^.*\/package\//, ""));
  assert.deepEqual([...new Set(names)].toSorted(), [
    "bin/waybill.js",
    "dist/cli/front.js",
    "dist/cli/start.js",
    "dist/cli/verify-bundles.js",
  ]);
});

test("a joined module is there once: an error of one is known in all", () => {
  const script = join(temp, "package/bin/waybill.js");
  for (const [args, status, code] of [
    [["verify", "bundle.json", "--key", "nothing.pub"], 4, "WB-INPUT-001"],
    [["lock", "--dir", "nowhere"], 4, "WB-INPUT-001"],
    [["check", "--levle", "x"], 2, "WB-INPUT-007"],
  ] as const) {
    const result = run(script, ...args);
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stderr, new RegExp(`error\\[${code}\\]`));
  }
  assert.equal(run(script, "explain", "WB-SIGN-003").status, 0);
});

test("what cannot be joined faithfully ends the build", () => {
  const plain = join(temp, "plain");
  const file = join(plain, "core/safe-text.js");
  const was = readFileSync(file, "utf8");
  for (const [line, why] of [
    ['import zod from "zod";', /core\/safe-text\.js: cannot be joined/],
    ['import "./other.js";', /core\/safe-text\.js: cannot be joined/],
    ["export default 1;", /core\/safe-text\.js: cannot be joined/],
    ["export let x = 1;", /core\/safe-text\.js: cannot be joined/],
    ['import { main } from "../cli/main.js";', /imports itself/],
    ["const here = import.meta.url;", /core\/safe-text\.js: .* import\.meta/],
  ] as const) {
    writeFileSync(file, `${line}\n${was}`);
    assert.throws(() => joinModules(plain), why);
  }
});
