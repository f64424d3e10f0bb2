import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { makeLock } from "../core/lock.ts";
import { parseManifest } from "../core/manifest.ts";
import type { HashProgress } from "../hash/pool.ts";
import { compareEntries } from "./compare.ts";
import { type ObserveOptions, observe } from "./observe.ts";
import { isObservedLink } from "./observed.ts";

const MIB = 1 << 20;
const scratch = realpathSync(mkdtempSync(join(tmpdir(), "waybill-observe-bounds-")));
after(() => rmSync(scratch, { recursive: true, force: true }));
let count = 0;

function folder(files: Record<string, string>): string {
  count += 1;
  const path = join(scratch, String(count));
  for (const [name, data] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), data);
  }
  return path;
}

const manifest = (components: string) =>
  parseManifest(`waybill: v1\nagent: a\nstart: {command: [x]}\ncomponents:\n${components}\n`).manifest;

/** An observation with the number of files and bytes that were to be hashed. */
async function look(path: string, components: string, options: Partial<ObserveOptions> = {}) {
  let last: HashProgress | undefined;
  const seen = await observe(path, manifest(components), {
    mode: "lock",
    onProgress: (progress) => {
      last = progress;
    },
    ...options,
  });
  return { ...seen, hashed: { files: last!.filesTotal, bytes: last!.bytesTotal } };
}

/** A lock of what is there. */
async function locked(path: string, components: string) {
  const seen = await look(path, components);
  return makeLock(
    "a",
    {},
    seen.components.map((c) => ({
      leaf: c.leaf!,
      files: c.entries.map((e) => {
        if (isObservedLink(e)) return e;
        return { ...e, sha256: e.sha256! };
      }),
    })),
  );
}

test("a file that many components claim is hashed once, and all of them have its digest", async () => {
  const at = folder({ "src/a": "aa", "src/b": "bbb", "lib/c": "c" });
  const components = Array.from(
    { length: 50 },
    (_, i) => `  - {kind: corpus, name: c${i}, ${i % 2 ? "path: src" : "paths: [src, lib/c]"}}`,
  ).join("\n");
  const seen = await look(at, components);
  assert.deepEqual(seen.hashed, { files: 3, bytes: 6 });
  assert.equal(seen.components[49]!.leaf?.size, 5);
  assert.equal(seen.components[48]!.leaf?.size, 6);
  assert.equal(new Set(seen.components.map((c) => c.leaf?.digest)).size, 2);
});

test("one file that two kinds want in two ways is hashed in both", async () => {
  const at = folder({ "m/x": "" });
  truncateSync(join(at, "m/x"), 2 * MIB);
  const components = "  - {kind: corpus, name: a, path: m}\n  - {kind: dataset, name: b, path: m}";
  const lock = await locked(at, components);
  const seen = await look(at, components, { mode: "verify", lock });
  assert.equal(seen.hashed.files, 1);
  assert.ok(seen.components.every((c) => c.leaf));
});

test("a large file of another size, or that is not locked, is not hashed and differs", async () => {
  const at = folder({ "m/grown": "", "m/same": "", "m/small": "s" });
  for (const name of ["grown", "same"]) truncateSync(join(at, "m", name), 2 * MIB);
  const component = "  - {kind: model, name: m, path: m}";
  const lock = await locked(at, component);
  truncateSync(join(at, "m/grown"), 2 ** 42);
  writeFileSync(join(at, "m/new"), "");
  truncateSync(join(at, "m/new"), 2 ** 42);
  writeFileSync(join(at, "m/small"), "larger");
  const seen = await look(at, component, { mode: "verify", lock, keepChunks: true });
  assert.deepEqual(seen.hashed, { files: 2, bytes: 2 * MIB + 6 });
  const [model] = seen.components;
  assert.deepEqual(model!.problems, []);
  assert.equal(model!.leaf, undefined);
  assert.deepEqual(model!.entries[0], { path: "grown", size: 2 ** 42, executable: false });
  assert.deepEqual(
    compareEntries(lock.components[0]!, model!).map(({ path, what }) => `${path} ${what}`),
    ["grown changed", "small changed", "new added"],
  );
});

test("a file over 8 TiB is the problem of its component, when locking and when verifying", async (t) => {
  const at = folder({ "m/big.bin": "", "p/a": "a" });
  try {
    truncateSync(join(at, "m/big.bin"), 2 ** 43 + 1);
  } catch {
    return t.skip("this file system has no such file");
  }
  const components = "  - {kind: model, name: m, path: m}\n  - {kind: prompt, name: p, path: p}";
  const seen = await look(at, components);
  assert.deepEqual(seen.components[0]!.problems, [
    {
      path: "big.bin",
      problem: "unreadable",
      detail: `it has ${2 ** 43 + 1} bytes; at most 8 TiB are hashed`,
    },
  ]);
  assert.ok(seen.components[1]!.leaf);
});

test("a `.git` below the top is part of every tree but code's, and never goes unseen", async () => {
  const at = folder({
    ".git/HEAD": "ref",
    "corpus/a.md": "a",
    "corpus/.git/x.md": "x",
    "corpus/deep/.git": "gitdir: elsewhere",
    "src/main.py": "m",
    "src/.git/hook": "h",
    "other/.git/y": "y",
  });
  const names = async (component: string) => {
    const seen = await look(at, component);
    return {
      entries: seen.components[0]!.entries.map((e) => e.path),
      unclaimed: seen.unclaimed.map(({ path }) => path),
    };
  };
  const corpus = await names("  - {kind: corpus, name: c, path: corpus}");
  assert.deepEqual(corpus.entries, [".git/x.md", "a.md", "deep/.git"]);
  assert.ok(corpus.unclaimed.includes("other/.git/y"));
  assert.ok(!corpus.unclaimed.some((path) => path.startsWith(".git/")));
  for (const declared of ["path: src", "paths: [src]"]) {
    const code = await names(`  - {kind: code, name: c, ${declared}}`);
    assert.ok(!code.entries.some((path) => path.includes(".git")), declared);
    assert.ok(code.unclaimed.includes("src/.git/hook"), declared);
  }
  const whole = await names("  - {kind: corpus, name: c, path: .}");
  assert.deepEqual(
    whole.entries.filter((path) => path.includes(".git")),
    ["corpus/.git/x.md", "corpus/deep/.git", "other/.git/y", "src/.git/hook"],
  );
});
