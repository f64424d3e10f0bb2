import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../core/canonical-json.ts";
import type { Finding } from "../core/finding.ts";
import { type Lock, makeLock } from "../core/lock.ts";
import { parseManifest } from "../core/manifest.ts";
import { type Settings, settingsOf } from "../core/settings.ts";
import { treeDigest } from "../core/tree.ts";
import { lockAgrees, lockExists, NOT_SHOWN, settingsAgree } from "./lock-steps.ts";
import { VERIFY_RULES } from "./rules.ts";

const MANIFEST = `waybill: v1
agent: tiny
components:
  - {kind: code, name: app, path: src}
  - {kind: prompt, name: secret, path: prompts}
start:
  command: [sh, a.sh, b]
  env: {LOG: info, API_TOKEN: "t0p"}
  egress: [a.example, b.example]
runtime: {period: 15, keys: [k1, k2]}
rollout: {steps: [1, 2], pwd: p4ss}
pact: [{password: p4ss, z: 1}, {a: 1, passphrase: p4ss}]
ignore: [token]
`;
const edited = (from = "", to = "") => {
  assert.ok(MANIFEST.includes(from), from);
  return parseManifest(MANIFEST.replace(from, to));
};
const files = [{ path: "a", size: 1, sha256: "a".repeat(64), executable: false }];
const leaf = { kind: "code", name: "app", mediaType: "m", digest: treeDigest(files), size: 1 } as const;
const locked = (settings: Settings = settingsOf(edited().manifest), agent = "tiny"): Lock =>
  makeLock(agent, settings, [{ leaf, files }]);
const findingsOf = (lock: Lock, manifest = edited()): Finding[] => {
  const result = settingsAgree(lock, manifest);
  assert.equal(result.code, "WB-LOCK-003");
  assert.equal(result.status, "fail");
  for (const finding of result.findings)
    assert.deepEqual(
      [finding.code, finding.final, finding.fix],
      ["WB-LOCK-003", true, VERIFY_RULES.settings.fix],
    );
  return result.findings;
};
/** What the manifest says now against what was locked. */
const changed = (from: string, to: string) => findingsOf(locked(), edited(from, to));

test("a lock exists or not, and agrees with itself or not", () => {
  assert.deepEqual(lockExists(locked()), {
    code: "WB-LOCK-001",
    status: "pass",
    coverage: "1 components locked",
  });
  const none = lockExists(undefined);
  assert.ok(none.status === "fail");
  assert.deepEqual([none.code, none.findings[0]!.message], ["WB-LOCK-001", "there is no waybill.lock"]);

  const good = { ...locked(), settings: { components: [{ kind: "code", name: "app" }] } };
  const right = makeLock("tiny", good.settings, good.components);
  assert.deepEqual(lockAgrees(right), {
    code: "WB-LOCK-002",
    status: "pass",
    coverage: "1 components recomputed",
  });
  const release = lockAgrees({ ...right, release: `sha256:${"0".repeat(64)}` });
  assert.ok(release.status === "fail");
  assert.equal(release.code, "WB-LOCK-002");
  const [whole] = release.findings;
  assert.equal(
    whole!.message,
    "waybill.lock contradicts itself: the release digest does not follow from its contents",
  );
  assert.deepEqual(
    [whole!.path, whole!.expected, whole!.found, whole!.final, "component" in whole!],
    ["waybill.lock", right.release, `sha256:${"0".repeat(64)}`, true, false],
  );
  const size = lockAgrees({ ...right, components: [{ leaf: { ...leaf, size: 2 }, files }] });
  assert.ok(size.status === "fail");
  const [one] = size.findings;
  assert.match(one!.message, /the size of code\/app does not follow/);
  assert.deepEqual([one!.component, one!.expected, one!.found], ["code/app", "1", "2"]);
});

test("the same settings pass, and say how many there are", () => {
  // Two components of a path each beside kind and name, three arguments, two variables, two hosts…
  assert.deepEqual(settingsAgree(locked(), edited()), {
    code: "WB-LOCK-003",
    status: "pass",
    coverage: "25 settings compared",
  });
});

test("each difference is shown once: where, what was signed, what stands there now", () => {
  const table: [string, string, Partial<Finding>][] = [
    [
      "LOG: info",
      "LOG: debug",
      {
        message: "the setting start.env.LOG changed since it was locked",
        where: { file: "waybill.yaml", line: 8, column: 14, length: 5 },
        label: "changed after `waybill lock`",
        expected: '"info"',
        found: '"debug"',
      },
    ],
    [
      "LOG: info",
      "LOG: info, NEW: x",
      {
        message: "the setting start.env.NEW was added since it was locked",
        where: { file: "waybill.yaml", line: 8, column: 25, length: 1 },
        label: "was added after `waybill lock`",
        expected: "absent",
        found: '"x"',
      },
    ],
    [
      "LOG: info, ",
      "",
      {
        message: "the setting start.env.LOG was removed since it was locked",
        where: { file: "waybill.yaml", line: 8, column: 8, length: 1 },
        label: "LOG was removed after `waybill lock`",
        expected: '"info"',
        found: "absent",
      },
    ],
    // A list is one difference, however many of its members moved.
    [
      "[sh, a.sh, b]",
      "[sh, -x, a.sh, b]",
      {
        message: "the setting start.command changed since it was locked",
        where: { file: "waybill.yaml", line: 7, column: 12, length: 17 },
        expected: '["sh","a.sh","b"]',
        found: '["sh","-x","a.sh","b"]',
      },
    ],
    [
      "path: src",
      "path: lib",
      {
        message: "the setting components.code/app.path changed since it was locked",
        component: "code/app",
        where: { file: "waybill.yaml", line: 4, column: 35, length: 3 },
        expected: '"src"',
        found: '"lib"',
      },
    ],
    // Named like a secret, and only a name.
    ["path: prompts", "path: other", { component: "prompt/secret", expected: '"prompts"', found: '"other"' }],
    ["ignore: [token]", "ignore: [key]", { expected: '["token"]', found: '["key"]' }],
    // Named like a secret, and perhaps one.
    [
      "t0p",
      "t1p",
      {
        message: "the setting start.env.API_TOKEN changed since it was locked",
        expected: NOT_SHOWN,
        found: NOT_SHOWN,
      },
    ],
    [', API_TOKEN: "t0p"', "", { expected: NOT_SHOWN, found: "absent" }],
    ["keys: [k1, k2]", "keys: [k1, k3]", { expected: NOT_SHOWN, found: NOT_SHOWN }],
    ["pwd: p4ss", "pwd: p5ss", { expected: NOT_SHOWN, found: NOT_SHOWN }],
    ["steps: [1, 2]", "steps: [1, 3]", { expected: "[1,2]", found: "[1,3]" }],
    ["period: 15", "period: 16", { expected: "15", found: "16" }],
    // One secret in a list hides the list, whether it differs first or last.
    ["{password: p4ss, z: 1}", "{password: p5ss, z: 2}", { expected: NOT_SHOWN, found: NOT_SHOWN }],
    ["{a: 1, passphrase: p4ss}", "{a: 2, passphrase: p5ss}", { expected: NOT_SHOWN, found: NOT_SHOWN }],
  ];
  for (const [from, to, expected] of table) {
    const found = changed(from, to);
    assert.equal(found.length, 1, to);
    assert.equal(found[0]!.path, "waybill.yaml");
    assert.partialDeepStrictEqual(found[0], expected, to);
    assert.equal(found[0]!.component, expected.component, to);
  }
});

test("whatever is named like a secret is not shown", () => {
  for (const word of ["KEY", "Token", "secret", "PASSWORD", "passwd", "passphrase", "Credentials", "PWD"]) {
    const [found] = changed("LOG: info", `LOG: info, MY_${word}_1: hunter2`);
    assert.deepEqual([found!.expected, found!.found], ["absent", NOT_SHOWN], word);
    assert.ok(!JSON.stringify(found).includes("hunter2"), word);
  }
});

test("a component that was taken out or put in is named by its id", () => {
  const line = "  - {kind: prompt, name: secret, path: prompts}\n";
  const [gone, ...none] = changed(line, "");
  assert.deepEqual(none, []);
  assert.equal(gone!.message, "the setting components.prompt/secret was removed since it was locked");
  assert.deepEqual([gone!.component, gone!.found], [undefined, "absent"]);
  assert.deepEqual(gone!.where, { file: "waybill.yaml", line: 4, column: 3, length: 1 });
  const [added, ...rest] = changed(line, `${line}  - {kind: model, name: base, path: m}\n`);
  assert.deepEqual(rest, []);
  assert.equal(added!.message, "the setting components.model/base was added since it was locked");
  assert.deepEqual([added!.component, added!.where!.line], ["model/base", 6]);
});

test("the agent's name is compared too, and stands first", () => {
  const found = findingsOf(locked(settingsOf(edited().manifest), "other"), edited("LOG: info", "LOG: debug"));
  assert.deepEqual(
    found.map((f) => [f.message, f.expected, f.found]),
    [
      ["the setting agent changed since it was locked", '"other"', '"tiny"'],
      ["the setting start.env.LOG changed since it was locked", '"info"', '"debug"'],
    ],
  );
});

test("twenty differences are shown, the rest is counted", () => {
  const variables = (count: number) => Array.from({ length: count }, (_, i) => `V${i}: x`).join(", ");
  assert.equal(changed("LOG: info", `LOG: info, ${variables(20)}`).length, 20);
  const found = changed("LOG: info", `LOG: info, ${variables(22)}`);
  assert.equal(found.length, 21);
  assert.equal(found[20]!.message, "2 more settings differ");
});

test("a lock may hold anything for components: it differs, and nothing throws", () => {
  const { components, ...rest } = settingsOf(edited().manifest);
  const [app, prompt] = components as [Settings, Settings];
  const table: [string, Json | undefined][] = [
    ["absent", undefined],
    ["null", null],
    ["a number", 5],
    ["a text", "components"],
    ["empty", []],
    ["a mapping", { "code/app": { path: "src" }, "prompt/secret": { path: "prompts" } }],
    ["a null in it", [app, prompt, null]],
    ["a text in it", [app, "prompt"]],
    ["a list in it", [app, prompt, []]],
    ["no kind", [app, { name: "secret", path: "prompts" }]],
    ["no name", [app, { kind: "prompt", path: "prompts" }]],
    ["kind no text", [{ ...app, kind: ["code"] }, prompt]],
    ["name no text", [app, { ...prompt, name: ["secret"] }]],
    ["kind a number", [{ ...app, kind: 7 }, prompt]],
    ["name a number", [app, { ...prompt, name: 7 }]],
    ["one twice", [app, app, prompt]],
    ["another order", [prompt, app]],
    ["a name that objects have", [app, prompt, { kind: "code", name: "__proto__" }]],
  ];
  for (const [what, value] of table) {
    const settings = value === undefined ? rest : { ...rest, components: value };
    const found = findingsOf(locked(settings));
    assert.ok(found.length > 0, what);
    assert.ok(
      found.every((f) => f.message.startsWith("the setting components")),
      what,
    );
    if (/no|number/.test(what))
      assert.deepEqual(
        found.map((f) => f.message),
        ["the setting components changed since it was locked"],
        what,
      );
    // By id where that is possible, else the whole list: never by a position.
    assert.doesNotMatch(found.map((f) => f.message).join("\n"), /components\.\d/, what);
  }
});
