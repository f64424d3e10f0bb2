import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** The real programs that tests run against. `scripts/toolbox/parts.ts` says how each one comes. */
export const TOOL_NAMES = [
  "cosign2",
  "cosign3",
  "model_signing",
  "fulcio",
  "rekor-server",
  "timestamp-server",
  "registry",
  "docker-registry",
  "crane",
  "tlog-fsck",
] as const;

export type ToolName = (typeof TOOL_NAMES)[number];

/** Folders of programs that apt installs, as ordinary users often lack them in PATH. */
const SYSTEM_FOLDERS = ["/usr/bin", "/usr/sbin"];

/** The cache of built programs: WAYBILL_TOOLBOX, else waybill-toolbox in the user's cache folder. */
export function toolboxFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.WAYBILL_TOOLBOX) return env.WAYBILL_TOOLBOX;
  const cache = env.XDG_CACHE_HOME;
  return join(cache && isAbsolute(cache) ? cache : join(homedir(), ".cache"), "waybill-toolbox");
}

/** The path of a program of the toolbox, or undefined where it is not installed. */
export function tool(name: ToolName): string | undefined {
  const folders = [join(toolboxFolder(), "bin"), ...(name === "docker-registry" ? SYSTEM_FOLDERS : [])];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** A program that a test needs: its path, and what to give node:test as `skip`. */
export interface NeededTool {
  /** Empty where it is missing; the test is then skipped. */
  path: string;
  /** False where it is there, else the reason. */
  skip: false | string;
}

/**
 * Finds a program for a test: `const cosign = needTool("cosign3"); test("…", { skip: cosign.skip }, …)`.
 *
 * @throws Error where it is missing and WAYBILL_REQUIRE_TOOLBOX is set, as in CI: nothing may be skipped there
 */
export function needTool(name: ToolName): NeededTool {
  const path = tool(name);
  if (path !== undefined) return { path, skip: false };
  const reason = `${name} is not installed: npm run toolbox -- ${name}`;
  if (process.env.WAYBILL_REQUIRE_TOOLBOX) throw new Error(`WAYBILL_REQUIRE_TOOLBOX is set, and ${reason}`);
  return { path: "", skip: reason };
}

/**
 * The same for a test that needs several programs.
 *
 * @throws Error as needTool
 */
export function needTools<Name extends ToolName>(
  ...names: readonly Name[]
): { paths: Record<Name, string>; skip: false | string } {
  const found = names.map((name) => [name, needTool(name)] as const);
  return {
    paths: Object.fromEntries(found.map(([name, { path }]) => [name, path])) as Record<Name, string>,
    skip: found.map(([, { skip }]) => skip).find((skip) => skip !== false) ?? false,
  };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
