import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { WaybillError } from "../core/errors.ts";
import { resolveEnvironment } from "./environment.ts";

const folder = mkdtempSync(join(tmpdir(), "waybill-env-"));
after(() => rmSync(folder, { recursive: true }));
const RELEASE = { WAYBILL_RELEASE: `sha256:${"ab".repeat(32)}` };
const SECRET = "hunter2-do-not-show";

function file(name: string, data: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, data);
  return path;
}

/** The error of a resolution, after a look that nothing in it, its stack or its causes shows a value. */
function refusal(call: () => unknown): WaybillError {
  let error: unknown;
  try {
    call();
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error instanceof WaybillError);
  assert.equal(error.code, "WB-INPUT-013");
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    assert.ok(!`${at.stack} ${at.message} ${JSON.stringify(at)}`.includes(SECRET));
  return error;
}

test("literals exactly, inherited where there, secrets resolved, the release added", () => {
  const path = file("token", `${SECRET}\n`);
  const declared = {
    LITERAL: " $HOME `x` \n",
    EMPTY: "",
    TERM: { inherit: true as const },
    NOT_THERE: { inherit: true as const },
    API_KEY: { secret: "env:OUTER_KEY" },
    TOKEN: { secret: `file:${path}` },
  };
  const outer = { TERM: "xterm", OUTER_KEY: "k", LD_PRELOAD: "evil.so", LITERAL: "outer" };
  const { env, claims } = resolveEnvironment(declared, { ...outer, WAYBILL_SECRETS: folder }, RELEASE);
  assert.deepEqual(env, {
    LITERAL: " $HOME `x` \n",
    EMPTY: "",
    TERM: "xterm",
    API_KEY: "k",
    TOKEN: SECRET,
    ...RELEASE,
  });
  assert.deepEqual(claims, [
    { name: "LITERAL", kind: "literal" },
    { name: "EMPTY", kind: "literal" },
    { name: "TERM", kind: "inherited" },
    { name: "NOT_THERE", kind: "inherited", absent: true },
    { name: "API_KEY", kind: "secret", from: "env:OUTER_KEY" },
    { name: "TOKEN", kind: "secret", from: `file:${path}` },
    { name: "WAYBILL_RELEASE", kind: "waybill" },
  ]);
});

test("exactly one newline is taken off a secret's file", () => {
  for (const [data, value] of [
    ["a\n\n", "a\n"],
    ["a\r\n", "a"],
    ["a ", "a "],
    ["", ""],
    ["\ufeffa", "\ufeffa"],
  ] as const) {
    const declared = { X: { secret: `file:${file("s", data)}` } };
    assert.equal(resolveEnvironment(declared, { WAYBILL_SECRETS: folder }, RELEASE).env.X, value);
  }
});

test("names of Object.prototype are variables like others", () => {
  const declared = Object.fromEntries([["__proto__", "p"]]);
  const inherited = { toString: { inherit: true as const } };
  assert.equal(
    Object.getOwnPropertyDescriptor(
      resolveEnvironment(declared, { WAYBILL_SECRETS: folder }, RELEASE).env,
      "__proto__",
    )?.value,
    "p",
  );
  assert.deepEqual(Object.keys(resolveEnvironment(inherited, {}, RELEASE).env), ["WAYBILL_RELEASE"]);
});

test("refusals name the variable and its source, never a value", () => {
  const secret = (from: string, outer = {}) =>
    refusal(() =>
      resolveEnvironment(
        { API_KEY: { secret: from } },
        { ...outer, WAYBILL_SECRETS: `${tmpdir()}:/etc` },
        RELEASE,
      ),
    ).message;
  assert.equal(secret("env:OUTER_KEY"), "the secret env:OUTER_KEY of API_KEY is not set");
  assert.match(secret(`file:${folder}/none`), /^the secret file:.*none of API_KEY does not exist$/);
  assert.match(secret(`file:${folder}`), /is not a regular file/);
  const large = file("large", SECRET.repeat(5000));
  assert.match(secret(`file:${large}`), /larger than 64 KiB/);
  const binary = file("binary", Buffer.concat([Buffer.from(SECRET), Buffer.from([0xff, 0xfe])]));
  assert.match(secret(`file:${binary}`), /is not UTF-8 text/);
  assert.match(secret("env:K", { K: `${SECRET}\0` }), /the value of API_KEY cannot stand in an environment/);
  const own = refusal(() => resolveEnvironment({ WAYBILL_RELEASE: SECRET }, {}, RELEASE));
  assert.match(own.message, /WAYBILL_RELEASE is declared/);
});

test("a link is followed, as Kubernetes mounts secrets; a named pipe does not hang", () => {
  symlinkSync(file("real", "v"), join(folder, "link"));
  const declared = { X: { secret: `file:${folder}/link` } };
  assert.equal(resolveEnvironment(declared, { WAYBILL_SECRETS: folder }, RELEASE).env.X, "v");
  execFileSync("mkfifo", [join(folder, "pipe")]);
  const piped = { X: { secret: `file:${folder}/pipe` } };
  assert.match(
    refusal(() => resolveEnvironment(piped, { WAYBILL_SECRETS: folder }, RELEASE)).message,
    /not a regular file/,
  );
});

test("a Waybill that is root hands out no file of the machine that the operator did not name", (t) => {
  if (process.getuid?.() !== 0) return t.skip("not root: it reads what its user may read");
  const path = file("shadow", SECRET);
  for (const outer of [{}, { WAYBILL_SECRETS: "/run/secrets" }, { WAYBILL_SECRETS: "" }])
    for (const from of [path, `/run/secrets/../..${path}`])
      assert.match(
        refusal(() => resolveEnvironment({ X: { secret: `file:${from}` } }, outer, RELEASE)).message,
        /outside the folders that hold secrets/,
      );
});
