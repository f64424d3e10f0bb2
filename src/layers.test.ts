import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";

/** DESIGN §8. Imports point down; folders of one level do not import each other; faces never meet. */
const LAYER: Record<string, number> = {
  core: 0,
  hash: 1,
  formats: 1,
  net: 1,
  sign: 2,
  store: 2,
  journal: 3,
  components: 3,
  evidence: 4,
  checks: 5,
  verify: 6,
  policy: 7,
  act: 8,
  attestor: 8,
  flows: 9,
  cli: 10,
  server: 10,
  admission: 10,
  sidecar: 10,
};
/** Facts and `now` in, data out. */
const PURE = new Set(["core", "verify", "policy", "checks"]);
const PURE_IMPORTS = new Set(["node:crypto", "zod", "yaml"]);
const SRC = import.meta.dirname;

const IMPORT = /(?:\bfrom\s*|\b(?:import|getBuiltinModule)\s*\(\s*|\bimport\s+)(["'])([\w@#./:-]+)\1/g;

/** Every module specifier of a source text: static, side-effect and dynamic imports, re-exports, built-in modules. */
export function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  return [...code.matchAll(IMPORT)].map((match) => match[2]!);
}

/** Why an import must not be, or undefined. Paths are relative to src/. */
export function violation(from: string, specifier: string): string | undefined {
  const folder = from.split("/")[0]!;
  const layer = LAYER[folder];
  if (layer === undefined) return `folder ${folder} is not listed`;
  if (specifier.startsWith("#")) return `subpath import ${specifier} hides its layer`;
  if (!specifier.startsWith(".")) {
    if (PURE.has(folder) && !PURE_IMPORTS.has(specifier)) return `${folder} is pure: no ${specifier}`;
    return undefined;
  }
  const target = relative(SRC, resolve(SRC, dirname(from), specifier)).split("/")[0]!;
  if (target === folder) return undefined;
  const targetLayer = LAYER[target];
  if (targetLayer === undefined) return `imports unlisted folder ${target}`;
  if (targetLayer >= layer) return `${folder} (L${layer}) imports ${target} (L${targetLayer})`;
  return undefined;
}

test("imports point down, faces never meet, pure layers stay pure", () => {
  const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter(
    (f) => f.endsWith(".ts") && !f.endsWith(".test.ts"),
  );
  assert.ok(files.length > 20);
  const found = files.flatMap((file) =>
    importsOf(readFileSync(join(SRC, file), "utf8"))
      .map((specifier) => violation(file, specifier))
      .filter((v) => v !== undefined)
      .map((v) => `${file}: ${v}`),
  );
  assert.deepEqual(found, []);
});

test("the rule sees upward, sideways, dynamic, side-effect and subpath imports", () => {
  assert.match(violation("core/x.ts", "../sign/keys.ts")!, /imports sign/);
  assert.match(violation("hash/x.ts", "../formats/y.ts")!, /imports formats/);
  assert.match(violation("cli/x.ts", "../server/y.ts")!, /imports server/);
  assert.match(violation("verify/x.ts", "node:fs")!, /pure/);
  assert.match(violation("nowhere/x.ts", "./y.ts")!, /not listed/);
  assert.match(violation("cli/x.ts", "#core/y")!, /subpath/);
  assert.equal(violation("cli/x.ts", "../core/errors.ts"), undefined);
  assert.deepEqual(importsOf('import "./a.ts"; export * from "./b.ts"; await import("./c.ts")'), [
    "./a.ts",
    "./b.ts",
    "./c.ts",
  ]);
  assert.deepEqual(importsOf('const { hash } = process.getBuiltinModule("node:crypto")'), ["node:crypto"]);
});
