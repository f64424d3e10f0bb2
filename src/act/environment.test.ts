import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, test } from "node:test";
import { WaybillError } from "../core/errors.ts";
import { MAX_SECRET_BYTES, resolveEnvironment } from "./environment.ts";

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

test("a secret's file holds 64 KiB at the most, and is read whole", () => {
  const declared = { X: { secret: `file:${file("full", "s".repeat(MAX_SECRET_BYTES))}` } };
  const { env } = resolveEnvironment(declared, { WAYBILL_SECRETS: folder }, RELEASE);
  assert.equal(env.X, "s".repeat(MAX_SECRET_BYTES));
  const over = { X: { secret: `file:${file("over", "s".repeat(MAX_SECRET_BYTES + 1))}` } };
  const error = refusal(() => resolveEnvironment(over, { WAYBILL_SECRETS: folder }, RELEASE));
  assert.match(error.message, /is larger than 64 KiB/);
});

test("what keeps a secret from being read is told with a hint", () => {
  file("plain", "x");
  symlinkSync(join(folder, "loop"), join(folder, "loop"));
  const why = (from: string) => {
    const declared = { X: { secret: from } };
    const { message, hint } = refusal(() =>
      resolveEnvironment(declared, { WAYBILL_SECRETS: folder }, RELEASE),
    );
    return [message.replace(`the secret ${from} of X `, ""), hint];
  };
  assert.deepEqual(why("env:NOT_SET"), ["is not set", "set NOT_SET where waybill is started"]);
  const put = (path: string) => `put the secret into ${path}, readable for whoever runs waybill`;
  for (const [name, said] of [
    ["none", "does not exist"],
    ["plain/x", "does not exist"],
    ["loop", "cannot be read (ELOOP)"],
  ] as const)
    assert.deepEqual(why(`file:${folder}/${name}`), [said, put(join(folder, name))]);
  assert.match(why("env:toString")[0]!, /is not set/);
});

test("no value that an environment cannot hold, wherever it comes from", () => {
  for (const bad of ["a\0b", "\ud800"])
    for (const [declaration, outer] of [
      [bad, {}],
      [{ inherit: true as const }, { X: bad }],
      [{ secret: "env:Y" }, { Y: bad }],
    ] as const) {
      const error = refusal(() => resolveEnvironment({ X: declaration }, outer, RELEASE));
      assert.match(error.message, /the value of X cannot stand in an environment/);
    }
  // Declared in whichever way, WAYBILL_RELEASE is Waybill's own.
  for (const declaration of ["x", { inherit: true as const }, { secret: "env:Y" }])
    assert.match(
      refusal(() => resolveEnvironment({ WAYBILL_RELEASE: declaration }, { Y: "y" }, RELEASE)).message,
      /WAYBILL_RELEASE is declared/,
    );
});

test("as root: a secret's file is strictly below a named absolute folder", (t) => {
  if (process.getuid?.() !== 0) return t.skip("not root: it reads what its user may read");
  const path = file("mine", "v");
  const inner = join(folder, "sub");
  mkdirSync(inner);
  const below = join(inner, "mine");
  writeFileSync(below, "v");
  const read = (from: string, named: string) =>
    resolveEnvironment({ X: { secret: `file:${from}` } }, { WAYBILL_SECRETS: named }, RELEASE).env.X;
  for (const [from, named] of [
    [path, folder],
    [path, `${folder}/`],
    [path, `${folder}/sub/..`],
    [path, `/nowhere:${folder}`],
    [path, `${folder}:/nowhere`],
    [path, "/"],
    [below, folder],
  ] as const)
    assert.equal(read(from, named), "v", named);
  for (const [from, named] of [
    [path, inner],
    [path, folder.slice(0, -1)],
    [path, "."],
    [path, `.:${inner}`],
    [path, relative("/", folder)],
    [path, ""],
    [folder, folder],
    [`${inner}/../mine`, inner],
  ] as const)
    assert.throws(() => read(from, named), /outside the folders that hold secrets/, named);
  const { hint } = refusal(() => read(path, "/a:b:/c"));
  assert.equal(hint, "put it below one of /a, /c, or name its folder in WAYBILL_SECRETS");
});

test("PATH leads into no folder of the agent's own, by whatever way", () => {
  const agent = join(folder, "agent");
  mkdirSync(join(agent, "bin"), { recursive: true });
  symlinkSync(join(agent, "bin"), join(folder, "to-bin"));
  symlinkSync(join(agent, "not-yet"), join(folder, "to-nothing"));
  symlinkSync(join(folder, "round"), join(folder, "round"));
  const own = [
    agent,
    `${agent}/`,
    join(agent, "bin"),
    join(agent, "none/deep"),
    join(folder, "to-bin"),
    join(folder, "to-nothing"),
    `${folder}/agent/../agent/bin`,
    "..",
    "../x",
    "x/../../y",
  ];
  const others = ["/usr/bin", folder, `${agent}2`, join(folder, "round"), "", "bin", ".", "..x", "a/../b"];
  const inherit = { PATH: { inherit: true as const } };
  const resolved = (path: string | undefined, agentFolder?: string) =>
    resolveEnvironment(inherit, { PATH: path }, RELEASE, agentFolder);
  for (const one of own) {
    const { env, claims } = resolved(["/bin", one, ...others].join(":"), agent);
    assert.equal(env.PATH, ["/bin", ...others].join(":"), one);
    assert.deepEqual(claims[0], { name: "PATH", kind: "inherited", without: [one] });
    for (const [declared, shown] of [
      [one, `: ${one}`],
      [{ secret: "env:P" }, ""],
    ] as const)
      assert.throws(() => resolveEnvironment({ PATH: declared }, { P: one }, RELEASE, agent), {
        code: "WB-INPUT-014",
        message: `PATH leads into the agent's own folder, not into its verified copy${shown}`,
      });
  }
  for (const one of others) {
    assert.deepEqual(resolved(one, agent).claims[0], { name: "PATH", kind: "inherited" }, one);
    assert.equal(resolveEnvironment({ PATH: one }, {}, RELEASE, agent).env.PATH, one);
  }
  // Another variable, no PATH, no folder to keep out of.
  assert.equal(resolveEnvironment({ P: agent }, {}, RELEASE, agent).env.P, agent);
  assert.deepEqual(resolved(undefined, agent).claims[0], { name: "PATH", kind: "inherited", absent: true });
  assert.equal(resolved(agent).env.PATH, agent);
});

test("a secret's path is written plainly: with a link before it, '..' leads elsewhere", () => {
  file("here", "v");
  for (const path of [`${folder}/./here`, `${folder}/x/../here`, `${folder}//here`, `${folder}/here/`]) {
    const declared = { X: { secret: `file:${path}` } };
    const { message, hint } = refusal(() =>
      resolveEnvironment(declared, { WAYBILL_SECRETS: folder }, RELEASE),
    );
    assert.match(message, /has '..', '.' or an empty name in its path/, path);
    assert.equal(hint, `write the path without them, for example file:${folder}/here`);
  }
});

test("as root: links are followed inside the folders and not out of them", (t) => {
  if (process.getuid?.() !== 0) return t.skip("not root: it reads what its user may read");
  const inside = join(folder, "inside");
  mkdirSync(join(inside, "..data"), { recursive: true });
  writeFileSync(join(inside, "..data/token"), "v");
  symlinkSync("..data/token", join(inside, "token"));
  symlinkSync(file("outside", SECRET), join(inside, "out"));
  symlinkSync(folder, join(inside, "up"));
  symlinkSync(inside, join(folder, "alias"));
  const read = (path: string, named = inside) =>
    resolveEnvironment({ X: { secret: `file:${path}` } }, { WAYBILL_SECRETS: named }, RELEASE).env.X;
  assert.equal(read(join(inside, "token")), "v");
  // The folder itself may be a link, as /var/run is.
  assert.equal(read(join(folder, "alias/token"), join(folder, "alias")), "v");
  for (const path of ["out", "up/outside"])
    assert.match(refusal(() => read(join(inside, path))).message, /outside the folders that hold secrets/);
});
