// `node scripts/join-modules.ts [DIST]`, the last step of `npm run build`: to load thirty small modules takes as long as
// to start Node. The modules on the way of `waybill verify BUNDLE` are joined into two files; in the place of each
// stays one that hands on what it exported, so that every module is still there once.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";

/** Joined files in the order in which they load, with the modules that lead into them; the program itself comes last. */
const GROUPS = [
  {
    file: "cli/front.js",
    roots: ["cli/main.js", "cli/io.js", "cli/parse.js", "cli/verify-command.js", "cli/commands/verify.js"],
  },
  { file: "cli/verify-bundles.js", roots: ["cli/commands/verify-bundles.js"] },
] as const;
const PROGRAM = "cli/start.js";

const IMPORT = /^import \{ ([^}]*) \} from "(\.[^"]+)";$/gm;
const REEXPORT = /^export \{ ([^}]*) \} from "(\.[^"]+)";$/gm;
const DYNAMIC = /\bimport\("(\.[^"]+)"\)/g;
const DECLARATION = /^export (?=(?:async function|function\*?|const|class) ([\w$]+))/gm;

interface Module {
  /** Relative to dist, with slashes. */
  path: string;
  text: string;
  /** What it exports under which name of its own, or out of which other module. */
  exported: { name: string; from?: { path: string; name: string } }[];
}

/** The name of a module in a joined file. */
const nameOf = (path: string) => `$${path.replace(/\.js$/, "").replace(/\W/g, "_")}`;
const resolveFrom = (path: string, specifier: string) => posix.join(posix.dirname(path), specifier);
const pairs = (list: string) =>
  list.split(", ").map((pair) => {
    const [outer = "", inner = outer] = pair.split(" as ");
    return { outer, inner };
  });

/** Joins the modules below `dist`; throws, with the module's name, for what it cannot join faithfully. */
export function joinModules(dist: string): void {
  const placed = new Map<string, string>();
  const modules = new Map<string, Module>();
  for (const { file, roots } of GROUPS) {
    const order: Module[] = [];
    for (const root of roots) visit(dist, root, modules, placed, order, []);
    for (const { path } of order) placed.set(path, file);
    const before = new Set(order.flatMap(staticImports).filter((path) => placed.get(path) !== file));
    const parts = order.map(
      (module) => `const ${nameOf(module.path)} = (() => {\n${body(module, file, placed)}})();\n`,
    );
    const names = order.map(({ path }) => nameOf(path));
    writeFileSync(
      join(dist, file),
      `${importsOf([...before], file, placed)}${parts.join("")}export { ${names.join(", ")} };\n`,
    );
  }
  for (const { path, exported } of modules.values())
    writeFileSync(join(dist, path), standIn(path, exported, placed));
  const program = read(dist, PROGRAM);
  writeFileSync(
    join(dist, PROGRAM),
    `${importsOf(staticImports(program), PROGRAM, placed)}${linked(program, PROGRAM, placed)}`,
  );
}

/** Puts a module behind all that it imports. */
function visit(
  dist: string,
  path: string,
  modules: Map<string, Module>,
  placed: ReadonlyMap<string, string>,
  order: Module[],
  above: readonly string[],
): void {
  if (above.includes(path)) throw new Error(`${path} imports itself, through ${above.join(", ")}`);
  if (placed.has(path) || order.some((module) => module.path === path)) return;
  const module = read(dist, path);
  for (const next of staticImports(module)) visit(dist, next, modules, placed, order, [...above, path]);
  modules.set(path, module);
  order.push(module);
}

function read(dist: string, path: string): Module {
  const text = readFileSync(join(dist, path), "utf8");
  const exported = [...text.matchAll(DECLARATION)].map(([, name]): Module["exported"][number] => ({
    name: name!,
  }));
  for (const [, list, specifier] of text.matchAll(REEXPORT))
    for (const { outer, inner } of pairs(list!))
      exported.push({ name: inner, from: { path: resolveFrom(path, specifier!), name: outer } });
  const rest = text.replace(IMPORT, "").replace(REEXPORT, "").replace(DECLARATION, "");
  const unknown = /^(?:import\b|export (?!\{\};$)).*$/m.exec(rest)?.[0];
  if (unknown !== undefined) throw new Error(`${path}: cannot be joined: ${unknown}`);
  return { path, text, exported };
}

function staticImports({ path, text }: Module): string[] {
  return [...text.matchAll(IMPORT), ...text.matchAll(REEXPORT)].map((match) => resolveFrom(path, match[2]!));
}

/** Import statements for modules that earlier files hold. */
function importsOf(paths: readonly string[], into: string, placed: ReadonlyMap<string, string>): string {
  const lines = [...new Set(paths)].map((path) => {
    const file = placed.get(path);
    if (file === undefined) throw new Error(`${into} needs ${path}, which is not joined`);
    return `import { ${nameOf(path)} } from "${specifier(into, file)}";\n`;
  });
  return lines.join("");
}

/** A module's text inside of a function that gives what it exports. */
function body(module: Module, file: string, placed: ReadonlyMap<string, string>): string {
  const given = module.exported.map(({ name, from }) =>
    from ? `${name}: ${nameOf(from.path)}.${from.name}` : name,
  );
  return `${linked(module, file, placed)}return { ${given.join(", ")} };\n`;
}

/** A module's text with its imports taken out of joined files; what is loaded later is named from its new place. */
function linked({ path, text }: Module, file: string, placed: ReadonlyMap<string, string>): string {
  if (text.includes("import.meta") && dirname(path) !== dirname(file))
    throw new Error(`${path}: cannot be joined: it uses import.meta in another folder`);
  return text
    .replace(IMPORT, (_, list: string, from: string) => {
      const names = pairs(list).map(({ outer, inner }) => (outer === inner ? outer : `${outer}: ${inner}`));
      return `const { ${names.join(", ")} } = ${nameOf(resolveFrom(path, from))};`;
    })
    .replace(REEXPORT, "")
    .replace(DECLARATION, "")
    .replace(/^export \{\};\n/gm, "")
    .replace(DYNAMIC, (_, from: string) => {
      const target = resolveFrom(path, from);
      const home =
        placed.get(target) ?? GROUPS.find(({ roots }) => (roots as readonly string[]).includes(target))?.file;
      if (home === file) return `Promise.resolve(${nameOf(target)})`;
      if (home === undefined) return `import("${specifier(file, target)}")`;
      return `import("${specifier(file, home)}").then((joined) => joined.${nameOf(target)})`;
    });
}

/** What stays where a module was. */
function standIn(path: string, exported: Module["exported"], placed: ReadonlyMap<string, string>): string {
  const name = nameOf(path);
  const lines = exported.map((each) => `export const ${each.name} = ${name}.${each.name};\n`);
  return `import { ${name} } from "${specifier(path, placed.get(path)!)}";\n${lines.join("")}`;
}

function specifier(from: string, to: string): string {
  const path = posix.relative(posix.dirname(from), to);
  return path.startsWith(".") ? path : `./${path}`;
}

if (import.meta.main) {
  const dist = process.argv[2] ?? join(import.meta.dirname, "../dist");
  if (!existsSync(join(dist, PROGRAM))) throw new Error(`${relative(".", dist)} has no ${PROGRAM}`);
  joinModules(dist);
}
