import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObservedComponent } from "../components/observed.ts";
import { type ComponentLeaf, componentId } from "../core/component.ts";
import { sha256 } from "../core/digest.ts";
import { encodeLock, type Lock, makeLock, releaseOf } from "../core/lock.ts";
import { type ManifestSource, parseManifest } from "../core/manifest.ts";
import { settingsOf } from "../core/settings.ts";
import { type TreeLeaf, treeDigest, treeSize } from "../core/tree.ts";
import { markAllowed } from "../policy/allowed.ts";
import { planOf } from "./release-plan.ts";

const manifestText = `waybill: v1
agent: tiny
components:
  - {kind: prompt, name: system, path: prompts}
  - {kind: code, name: app, path: .}
  - {kind: image, name: app, path: image}
start:
  command: [sh, start.sh]
`;
const file = (path: string, text: string): TreeLeaf => ({
  path,
  size: text.length,
  sha256: sha256(text),
  executable: path.endsWith(".sh"),
});
const files: Record<string, TreeLeaf[]> = {
  "prompt/system": [{ path: "now.md", link: "system.md" }, file("system.md", "you are")],
  "code/app": [file("start.sh", "exit 0")],
  "image/app": [file(`blobs/sha256/${sha256("{}")}`, "{}")],
};
const leafOf = (kind: ComponentLeaf["kind"], name: string): ComponentLeaf => {
  const own = files[`${kind}/${name}`]!;
  const digest = kind === "image" ? (`sha256:${sha256("{}")}` as const) : treeDigest(own);
  return { kind, name, mediaType: "application/x-test", digest, size: treeSize(own) };
};
const lockOf = ({ manifest }: ManifestSource): Lock =>
  makeLock(
    manifest.agent,
    settingsOf(manifest),
    manifest.components.map(({ kind, name }) => ({
      leaf: leafOf(kind, name),
      files: files[`${kind}/${name}`]!,
    })),
  );
const source = parseManifest(manifestText);
const lock = lockOf(source);
const allowedFor = (of: Lock) =>
  markAllowed(releaseOf(of), { door: "start", target: "production", validUntil: 8e15 });
const observed = (): ObservedComponent[] =>
  source.manifest.components.map((declared) => {
    const id = componentId(declared);
    return {
      id,
      declared,
      entries: files[id]!.map((leaf) => ({ ...leaf })),
      problems: [],
      prefix: declared.path === "." ? "" : `${declared.path}/`,
      sources: new Map(files[id]!.map(({ path }) => [path, `/agent/${declared.path}/${path}`])),
      leaf: leafOf(declared.kind, declared.name),
    };
  });

test("a plan is the locked files and links, the lock, and no image", () => {
  const { plan, start } = planOf(allowedFor(lock), lock, source, observed());
  assert.deepEqual(plan, {
    releaseDigest: releaseOf(lock).digest,
    files: [
      { ...file("start.sh", "exit 0"), source: "/agent/./start.sh" },
      { ...file("system.md", "you are"), path: "prompts/system.md", source: "/agent/prompts/system.md" },
    ],
    links: [{ path: "prompts/now.md", link: "system.md" }],
    extra: [{ path: "waybill.lock", data: encodeLock(lock) }],
  });
  assert.equal(start, source.manifest.start);
  const asUser = parseManifest(`${manifestText}  user: 7777\n`);
  const made = planOf(allowedFor(lockOf(asUser)), lockOf(asUser), asUser, observed());
  assert.equal(made.plan.user, 7777);
});

test("digests and modes come from the lock, never from what was read", () => {
  const read = observed();
  for (const component of read)
    for (const entry of component.entries)
      if ("size" in entry) Object.assign(entry, { size: 9, sha256: "e".repeat(64), executable: true });
  assert.deepEqual(
    planOf(allowedFor(lock), lock, source, read),
    planOf(allowedFor(lock), lock, source, observed()),
  );
});

test("a lock, a manifest or a component that is not of the allowed release is a bug of the caller", () => {
  const changed = (more: string) => parseManifest(manifestText + more);
  const spoilt = (spoil: (prompt: ObservedComponent) => void): ObservedComponent[] => {
    const components = observed();
    spoil(components[0]!);
    return components;
  };
  const other = makeLock(lock.agent, lock.settings, lock.components.slice(1));
  const edited = makeLock(lock.agent, { ...lock.settings, ignore: ["x"] }, lock.components);
  const gone = (path: string) =>
    spoilt((c) =>
      c.entries.splice(
        c.entries.findIndex((e) => e.path === path),
        1,
      ),
    );
  const table: [string, RegExp, Lock, ManifestSource, ObservedComponent[]][] = [
    ["fewer components", /the lock contradicts itself/, other, source, observed()],
    ["other settings in the lock", /the lock is of another release/, edited, source, observed()],
    [
      "another command",
      /the manifest is of another release/,
      lock,
      parseManifest(manifestText.replace("start.sh", "evil.sh")),
      observed(),
    ],
    ["another user", /the manifest is of another release/, lock, changed("  user: 5\n"), observed()],
    ["a component that was not read", /now\.md was allowed and not read/, lock, source, observed().slice(1)],
    ["a file that was not read", /system\.md was allowed and not read/, lock, source, gone("system.md")],
    ["a link that was not read", /now\.md was allowed and not read/, lock, source, gone("now.md")],
    [
      "a file whose bytes are nowhere",
      /prompts\/system\.md was not read/,
      lock,
      source,
      spoilt((c) => {
        (c as { sources: ReadonlyMap<string, string> }).sources = new Map();
      }),
    ],
    [
      "a link in the place of a file",
      /prompts\/system\.md was not read/,
      lock,
      source,
      spoilt((c) => {
        c.entries[1] = { path: "system.md", link: "/etc/passwd" };
      }),
    ],
  ];
  for (const [what, message, ofLock, ofManifest, components] of table)
    assert.throws(
      () => planOf(allowedFor(lock), ofLock, ofManifest, components),
      { name: "TypeError", message },
      what,
    );
});

test("a component is looked for by kind and name", () => {
  const components = observed();
  // image/app and code/app share a name: the wrong one must not stand in.
  assert.deepEqual(
    planOf(allowedFor(lock), lock, source, components.toReversed()).plan,
    planOf(allowedFor(lock), lock, source, components).plan,
  );
});
