import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, lstatSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

// What must hold of the repository and of the package that is made of it.

const ROOT = join(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
const manifest = JSON.parse(read("package.json")) as {
  version: string;
  files: string[];
  engines: { node: string };
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
};

interface LockedPackage {
  version?: string;
  resolved?: string;
  link?: boolean;
  dev?: boolean;
  optional?: boolean;
  hasInstallScript?: boolean;
  integrity?: string;
  dependencies?: Record<string, string>;
}
const locked = (JSON.parse(read("package-lock.json")) as { packages: Record<string, LockedPackage> })
  .packages;

/** Every package that comes with an installed Waybill, and why: DESIGN.md. */
const RUNTIME = ["yaml", "zod"];
const DEVELOPMENT = [
  "@biomejs/biome",
  "@noble/curves",
  "@noble/hashes",
  "@sigstore/bundle",
  "@sigstore/protobuf-specs",
  "@sigstore/sign",
  "@sigstore/tuf",
  "@sigstore/verify",
  "@types/node",
  "fast-check",
  "typescript",
];

/** Packed; in bytes. About 230 kB when this was written. */
const MAX_PACKAGE = 1 << 20;

test("an installed Waybill brings these packages and no others", () => {
  const tree = new Set<string>();
  const queue = Object.keys(manifest.dependencies);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (tree.has(name)) continue;
    tree.add(name);
    const entry = locked[`node_modules/${name}`];
    assert.ok(entry, `${name} is not at the top of node_modules`);
    queue.push(...Object.keys(entry.dependencies ?? {}));
  }
  assert.deepEqual([...tree].toSorted(), RUNTIME);
  assert.deepEqual(Object.keys(manifest.devDependencies).toSorted(), DEVELOPMENT);
});

test("what a command loads only when it is asked for is an optional peer, tested at that very version", () => {
  assert.deepEqual(Object.keys(manifest.peerDependencies), [
    "@noble/curves",
    "@noble/hashes",
    "@sigstore/tuf",
  ]);
  for (const [name, version] of Object.entries(manifest.peerDependencies)) {
    assert.equal(manifest.devDependencies[name], version, name);
    assert.equal(manifest.peerDependenciesMeta[name]?.optional, true, name);
  }
});

test("every version is exact, with an integrity hash, without an install script or a registry's address", () => {
  for (const [name, range] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }))
    assert.match(range, /^\d+\.\d+\.\d+$/, name);
  for (const [path, entry] of Object.entries(locked)) {
    if (!path.startsWith("node_modules/") || entry.link) continue;
    assert.ok(!entry.hasInstallScript, `${path} has an install script`);
    assert.match(entry.integrity ?? "", /^sha512-/, path);
    assert.equal(entry.resolved, undefined, path);
  }
  assert.match(read(".npmrc"), /^ignore-scripts=true$/m);
});

test("the version has its section in the changelog, and the engines are those that bin/waybill.js lets in", () => {
  const changelog = read("CHANGELOG.md");
  assert.match(changelog, /^## Unreleased$/m);
  assert.match(changelog, new RegExp(`^## ${manifest.version.replaceAll(".", "\\.")}( |$)`, "m"));
  assert.equal(manifest.engines.node, "^24.15.0 || >=26");
  assert.match(read("bin/waybill.js"), /major >= 26 \|\| \(major === 24 && minor >= 15\)/);
});

test("the package holds what runs, its schemas and its papers, and nothing of the workspace", () => {
  const copy = mkdtempSync(join(tmpdir(), "waybill-pack-"));
  try {
    for (const file of [...manifest.files.filter((name) => name !== "dist"), "package.json", ".npmrc"])
      cpSync(join(ROOT, file), join(copy, file), { recursive: true });
    // What must not get in although it is there.
    for (const file of ["src", "scripts", "tools", "docs"])
      cpSync(join(ROOT, file), join(copy, file), { recursive: true });
    const tsc = [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", join(ROOT, "tsconfig.build.json")];
    const build = spawnSync(process.execPath, [...tsc, "--outDir", join(copy, "dist")], { encoding: "utf8" });
    assert.equal(build.status, 0, build.stdout);
    const pack = spawnSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: copy,
      encoding: "utf8",
      shell: process.platform === "win32",
    });
    assert.equal(pack.status, 0, pack.stderr);
    const [made] = JSON.parse(pack.stdout) as [{ size: number; files: { path: string; mode: number }[] }];
    const paths = made.files.map(({ path }) => path);
    const papers = ["CHANGELOG.md", "LICENSE", "README.md", "package.json", "bin/waybill.js"];
    for (const paper of papers) assert.ok(paths.includes(paper), paper);
    const strange = paths.filter(
      (path) =>
        !papers.includes(path) &&
        !/^dist\/.+\.(js|d\.ts)$/.test(path) &&
        !/^docs\/schemas\/.+\.schema\.json$/.test(path),
    );
    assert.deepEqual(strange, []);
    assert.ok(paths.includes("dist/cli/start.js") && paths.includes("dist/hash/worker.js"));
    assert.deepEqual(
      paths.filter(
        (path) => /(?:^|[/.])test(?:ing)?[/.]|tools\//.test(path) && !/^dist\/checks\/testing\./.test(path),
      ),
      [],
    );
    assert.ok(made.size < MAX_PACKAGE, `${made.size} bytes packed`);
    assert.equal(made.files.find(({ path }) => path === "bin/waybill.js")!.mode & 0o111, 0o111);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
});

// `workspaces` stays in the published package.json: npm reads it in the root of a checkout, never in an installed
// package. What must not get out is a dependency on the Node that only development needs.
test("no one who installs the package gets the development Node", () => {
  const names = Object.keys(manifest.dependencies).join(" ");
  assert.doesNotMatch(names, /node-(bin|linux|darwin|win)|dev-node/);
  assert.ok(!("optionalDependencies" in manifest) && !("bundleDependencies" in manifest));
  assert.match(read("tools/node/package.json"), /"private": true/);
});

test("no file of the repository names a package registry or a place on somebody's machine", (t) => {
  const { stdout, status } = spawnSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" });
  if (status !== 0) return t.skip("needs git and a checkout");
  // Written in parts: this file is read too.
  const registries = ["registry\\.npmjs", "npmjs\\.org", "registry\\.yarnpkg", "files\\.pythonhosted"];
  const places = [
    "/wo" + "rk/",
    "/ro" + "ot/",
    "/ho" + "me/[a-z]",
    "/Us" + "ers/[A-Za-z]",
    "C:\\\\\\\\Us" + "ers",
  ];
  const machine = new RegExp(`(^|[\\s"'\`=(:])(${places.join("|")})`);
  const registry = new RegExp(registries.join("|"), "i");
  const found = stdout.split("\0").flatMap((file) => {
    if (file === "" || file === "scripts/house.test.ts") return [];
    if (!lstatSync(join(ROOT, file), { throwIfNoEntry: false })?.isFile()) return [];
    const bytes = readFileSync(join(ROOT, file));
    if (bytes.includes(0)) return [];
    const text = bytes.toString("utf8");
    // Test data may need a path as an attacker or a container would write it, and names of registries that are found.
    const isTest = file.startsWith("testdata/");
    return text.split("\n").flatMap((line, i) => {
      const bad = !isTest && (registry.test(line) || machine.test(line));
      return bad ? [`${file}:${i + 1}: ${line.trim().slice(0, 100)}`] : [];
    });
  });
  assert.deepEqual(found, []);
});
