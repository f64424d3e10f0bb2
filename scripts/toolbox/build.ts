import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { runChild } from "./child.ts";
import { tool, toolboxFolder } from "./find.ts";
import type { Part, Source } from "./parts.ts";

/** Longest that one step of one part may take, in ms. */
const LIMIT = 20 * 60_000;

type Of<By extends Source["by"]> = Extract<Source, { by: By }>;

/** What a part says of its version in lists. */
export function versionOf({ source }: Part): string {
  return source.by === "apt" ? "the distribution's" : source.version;
}

/**
 * Where a part's program lies once it is built. The path names the version, so `bin/NAME`, a link to it that is made
 * last, tells whether the part is there as the table wants it.
 */
export function programOf(part: Part, folder = toolboxFolder()): string {
  const { source } = part;
  if (source.by === "go") return join(folder, "go", `${part.name}@${source.version}`, source.program);
  if (source.by === "apt") return join(folder, "apt", part.name, source.program);
  const text = readFileSync(join(import.meta.dirname, source.requirements));
  const id = createHash("sha256").update(text).digest("hex").slice(0, 12);
  return join(folder, "pip", `${part.name}@${source.version}-${id}`, "bin", source.program);
}

/** Whether a part is there in the version that the table names; a Debian package may also be the system's own. */
export function isBuilt(part: Part, folder = toolboxFolder()): boolean {
  if (part.source.by === "apt" && tool(part.name) !== undefined) return true;
  try {
    const program = programOf(part, folder);
    accessSync(program, constants.X_OK);
    return readlinkSync(join(folder, "bin", part.name)) === program;
  } catch {
    return false;
  }
}

/**
 * Builds a part into the cache and links it as `bin/NAME`.
 *
 * @returns null when it is there, else what went wrong and how to go on
 */
export async function buildPart(part: Part, folder = toolboxFolder()): Promise<string | null> {
  const program = programOf(part, folder);
  mkdirSync(join(folder, "bin"), { recursive: true });
  const problem = await make(part, program, folder);
  if (problem !== null) return problem;
  try {
    accessSync(program, constants.X_OK);
  } catch {
    return `it was built, and ${part.source.program} is not in it`;
  }
  const link = join(folder, "bin", `.${part.name}.${process.pid}`);
  rmSync(link, { force: true });
  symlinkSync(program, link);
  renameSync(link, join(folder, "bin", part.name));
  return null;
}

function make(part: Part, program: string, folder: string): Promise<string | null> {
  const { source } = part;
  if (source.by === "go") return goInstall(source, join(program, ".."), folder);
  if (source.by === "pip") return pipInstall(source, join(program, "../.."), folder);
  return aptUnpack(source, join(folder, "apt", part.name), folder);
}

async function goInstall(source: Of<"go">, into: string, folder: string): Promise<string | null> {
  const env = { GOBIN: into, GOFLAGS: "-trimpath -buildvcs=false", CGO_ENABLED: "0", GOWORK: "off" };
  const problem = await runChild(["go", "install", `${source.package}@${source.version}`], {
    cwd: folder,
    env,
    limit: LIMIT,
  });
  return problem?.includes("ENOENT") ? "Go is not installed; see https://go.dev/doc/install" : problem;
}

async function pipInstall(source: Of<"pip">, into: string, folder: string): Promise<string | null> {
  rmSync(into, { recursive: true, force: true });
  const made = await runChild(["python3", "-m", "venv", into], { cwd: folder, limit: LIMIT });
  if (made !== null) return `${made}\nPython 3 with its venv module is needed: apt-get install python3-venv`;
  const file = join(import.meta.dirname, source.requirements);
  const words = [
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--require-hashes",
    "--only-binary=:all:",
  ];
  return runChild([join(into, "bin/python"), "-m", "pip", ...words, "-r", file], {
    cwd: folder,
    limit: LIMIT,
  });
}

async function aptUnpack(source: Of<"apt">, into: string, folder: string): Promise<string | null> {
  const work = mkdtempSync(join(folder, "apt-"));
  try {
    const download = () => runChild(["apt-get", "download", source.package], { cwd: work, limit: LIMIT });
    let problem = await download();
    // A machine that has never listed its packages.
    if (problem !== null && process.getuid?.() === 0) {
      await runChild(["apt-get", "update"], { cwd: work, limit: LIMIT });
      problem = await download();
    }
    if (problem !== null) return `${problem}\nrun as root: apt-get update`;
    const file = readdirSync(work).find((name) => name.endsWith(".deb"));
    if (file === undefined) return "apt-get brought no package";
    const unpacked = join(work, "unpacked");
    problem = await runChild(["dpkg-deb", "-x", file, unpacked], { cwd: work, limit: LIMIT });
    if (problem !== null) return problem;
    rmSync(into, { recursive: true, force: true });
    mkdirSync(join(into, ".."), { recursive: true });
    renameSync(unpacked, into);
    return null;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
