import { realpathSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { componentName } from "../components/detect.ts";
import { compileIgnore, isGitFolder, isReserved } from "../components/ignore.ts";
import type { Detected, FolderView } from "../components/kind.ts";
import { COMPONENT_KINDS } from "../components/registry.ts";
import { declaredPaths } from "../components/select.ts";
import { componentId } from "../core/component.ts";
import { WaybillError } from "../core/errors.ts";
import { MANIFEST_FILE, parseManifest } from "../core/manifest.ts";
import { safeText } from "../core/safe-text.ts";
import { pathProblem } from "../core/tree.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { walkTree } from "../hash/walk.ts";
import { optionalText } from "./agent-folder.ts";
import { readHead } from "./facts.ts";

/** Folders that hold what other tools make; proposed as `ignore` where they exist. */
const MADE_BY_TOOLS = [
  "node_modules/",
  ".venv/",
  "venv/",
  "__pycache__/",
  ".pytest_cache/",
  "dist/",
  "coverage/",
];

/** What `waybill init` found. */
export interface InitOutcome {
  text: string;
  detected: Detected[];
  ignore: string[];
  /** Path of the manifest written; absent when it was only asked for. */
  file?: string;
}

/**
 * Finds the components of an existing folder and proposes a manifest for it. What can be seen is declared, what
 * cannot be known is written as a comment to be filled in.
 *
 * @param options `write` puts waybill.yaml there, never over an existing one
 * @throws WaybillError WB-INPUT-001 no folder or nothing in it, WB-INPUT-010 there is a manifest already
 */
export async function initFolder(directory: string, options: { write: boolean }): Promise<InitOutcome> {
  let folder: string;
  try {
    folder = realpathSync(directory);
  } catch (cause) {
    throw new WaybillError("WB-INPUT-001", `${directory} is no folder`, { hint: "check --dir", cause });
  }
  if (options.write && statSync(join(folder, MANIFEST_FILE), { throwIfNoEntry: false }))
    throw new WaybillError("WB-INPUT-010", `${join(directory, MANIFEST_FILE)} exists already`, {
      hint: "waybill init --print shows what would be proposed",
    });
  const everything = compileIgnore(MADE_BY_TOOLS);
  const walk = await walkTree(folder, {
    skip: (path, isFolder) => isGitFolder(path) || isReserved(path) || everything(path, isFolder),
  });
  if (walk.files.length === 0)
    throw new WaybillError(
      "WB-INPUT-001",
      `there is no file in ${directory} that an agent could be made of`,
      {
        hint: "run it where the agent is, or name its folder: --dir DIR",
      },
    );
  const ignore = MADE_BY_TOOLS.filter((pattern) =>
    statSync(join(folder, pattern), { throwIfNoEntry: false }),
  );
  const detected = detect({
    // A path that no manifest can hold is left to `waybill lock`, which says what is wrong with it.
    files: walk.files.filter(({ path }) => pathProblem(path) === undefined),
    head: (path, bytes) => readHead(join(folder, path), bytes) ?? Buffer.alloc(0),
  });
  const text = manifestText(componentName(basename(folder), "agent"), detected, ignore, commandOf(folder));
  parseManifest(text);
  if (!options.write) return { text, detected, ignore };
  writeFileAtomic(join(folder, MANIFEST_FILE), text, { exclusive: true });
  return { text, detected, ignore, file: MANIFEST_FILE };
}

/** Asks each kind; a file that one kind has claimed is not shown to the next, code comes last. */
function detect(view: FolderView): Detected[] {
  const found: Detected[] = [];
  const isTaken = (path: string) =>
    found.some(({ declared }) =>
      declaredPaths(declared).some((own) => path === own || path.startsWith(`${own}/`)),
    );
  for (const kind of [...COMPONENT_KINDS].sort(
    (a, b) => Number(a.kind === "code") - Number(b.kind === "code"),
  )) {
    const rest: FolderView = { files: view.files.filter((file) => !isTaken(file.path)), head: view.head };
    const names = new Set<string>();
    for (const proposal of kind.detect(rest)) {
      let { name } = proposal.declared;
      for (let n = 2; names.has(name); n += 1) name = `${proposal.declared.name.slice(0, 60)}-${n}`;
      names.add(name);
      found.push({ ...proposal, declared: { ...proposal.declared, name } });
    }
  }
  return found;
}

/** The command of a folder's own package.json or the like, as far as it can be read off. */
function commandOf(folder: string): { command: string[]; known: boolean } {
  const text = optionalText(join(folder, "package.json"), 1 << 20);
  try {
    const start = (JSON.parse(text ?? "{}") as { scripts?: { start?: unknown } }).scripts?.start;
    if (typeof start === "string" && /^[\w@./: =-]+$/.test(start))
      return { command: start.split(/ +/), known: true };
  } catch {
    // not JSON: nothing to read off
  }
  for (const [file, command] of [
    ["main.py", ["python3", "main.py"]],
    ["app.py", ["python3", "app.py"]],
    ["server.py", ["python3", "server.py"]],
    ["index.js", ["node", "index.js"]],
    ["src/server.ts", ["node", "src/server.ts"]],
  ] as const)
    if (statSync(join(folder, file), { throwIfNoEntry: false }))
      return { command: [...command], known: true };
  return { command: ["./start"], known: false };
}

function manifestText(
  agent: string,
  detected: readonly Detected[],
  ignore: readonly string[],
  start: { command: string[]; known: boolean },
): string {
  // What YAML would read as a number, a truth value or nothing is quoted too.
  const quote = (value: string) =>
    /^[A-Za-z0-9_./@-]+$/.test(value) && !/^[.-]|^\d|^(?:true|false|null|yes|no|on|off|y|n)$/i.test(value)
      ? value
      : JSON.stringify(value);
  const lines = [
    "# yaml-language-server: $schema=./node_modules/waybill/docs/schemas/waybill.schema.json",
    "# What this agent is made of. `waybill lock` pins all of it into one release digest.",
    "waybill: v1",
    `agent: ${quote(agent)}`,
    "",
    "components:",
  ];
  for (const { declared, because } of detected) {
    lines.push(`  - kind: ${declared.kind}   # ${safeText(because)}`, `    name: ${quote(declared.name)}`);
    if (declared.path !== undefined) lines.push(`    path: ${quote(declared.path)}`);
    if (declared.paths) lines.push("    paths:", ...declared.paths.map((path) => `      - ${quote(path)}`));
  }
  const kinds = new Set(detected.map(({ declared }) => declared.kind));
  const missing = COMPONENT_KINDS.filter(({ kind }) => !kinds.has(kind));
  for (const { kind, about } of missing) lines.push(`  # no ${kind} found: ${about}`);
  lines.push(
    "",
    "start:",
    `  command: [${start.command.map(quote).join(", ")}]${start.known ? "" : "   # not found: put the program and its arguments here"}`,
    "  env:   # the whole environment; nothing else reaches the process",
    "    PATH: { inherit: true }",
    "    # LOG_LEVEL: info                     a value that is pinned",
    "    # PORT: { inherit: true }             whatever the starter has; not pinned",
    "    # API_KEY: { secret: env:API_KEY }    resolved at start, never shown",
    "  egress: []   # hosts that it may reach, such as api.example.com:443",
    "",
    `ignore: [${ignore.map(quote).join(", ")}]   # files that belong to no component`,
    "",
  );
  return lines.join("\n");
}

/** The ids of what was found, for a summary. */
export function detectedIds(outcome: InitOutcome): string[] {
  return outcome.detected.map(({ declared }) => componentId(declared));
}
