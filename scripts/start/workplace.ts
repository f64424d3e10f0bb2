import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";

const REPOSITORY = join(import.meta.dirname, "../..");
const WAYBILL = join(REPOSITORY, "bin/waybill.js");

/** A temporary place with a copy of the example agent, a home for keys, and a Node that the agent's user can start. */
export class Workplace {
  readonly root = mkdtempSync(join(tmpdir(), "waybill-start-"));
  readonly agent = join(this.root, "support-agent");
  readonly trust = join(this.root, "trust.yaml");
  readonly #env: NodeJS.ProcessEnv;

  constructor() {
    // The agent runs as another user where we are root, and must be able to pass through.
    chmodSync(this.root, 0o755);
    mkdirSync(join(this.root, "home"), { mode: 0o700 });
    const made = new Set(["model", "image", "node_modules", ".waybill", "waybill.evidence", "waybill.lock"]);
    const example = join(REPOSITORY, "examples/support-agent");
    cpSync(example, this.agent, {
      recursive: true,
      filter: (path) => dirname(path) !== example || !made.has(basename(path)),
    });
    this.#env = {
      PATH: `${dirname(this.#reachableNode())}${delimiter}${process.env.PATH ?? ""}`,
      WAYBILL_HOME: join(this.root, "home"),
      WAYBILL_PASSPHRASE: randomBytes(16).toString("hex"),
      WAYBILL_TRUST: this.trust,
      PORT: "0",
      NO_COLOR: "1",
    };
  }

  /** Runs one of the agent's own scripts in a folder; gives its last line, throws with its output when it fails. */
  script(file: string, args: readonly string[], folder = this.agent): string {
    return this.#finish([join(folder, file), ...args], folder);
  }

  /** Runs a waybill command in a folder; gives its status and output. */
  waybill(args: readonly string[], folder = this.agent): { status: number; stdout: string; stderr: string } {
    const child = spawnSync(process.execPath, [WAYBILL, ...args], {
      cwd: folder,
      env: this.#env,
      encoding: "utf8",
    });
    return { status: child.status ?? -1, stdout: child.stdout, stderr: child.stderr };
  }

  /** Like `waybill`, for commands that must succeed; gives standard output. */
  must(args: readonly string[], folder = this.agent): string {
    const { status, stdout, stderr } = this.waybill(args, folder);
    if (status !== 0) throw new Error(`waybill ${args.join(" ")} ended with ${status}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Starts `waybill run` and leaves it running. */
  start(args: readonly string[]) {
    return spawn(process.execPath, [WAYBILL, "run", ...args], {
      cwd: this.agent,
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** Removes everything. */
  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** This very Node, or a copy of it where another user cannot pass through the folders above it. */
  #reachableNode(): string {
    const node = realpathSync(process.execPath);
    const isOpen = (path: string): boolean =>
      (statSync(path).mode & 0o001) !== 0 && (dirname(path) === path || isOpen(dirname(path)));
    if (process.getuid?.() !== 0 || isOpen(node)) return process.execPath;
    const copy = join(this.root, "bin/node");
    mkdirSync(dirname(copy));
    copyFileSync(node, copy);
    chmodSync(copy, 0o755);
    return copy;
  }

  #finish(args: readonly string[], cwd: string): string {
    const child = spawnSync(process.execPath, args, { cwd, env: this.#env, encoding: "utf8" });
    if (child.status !== 0)
      throw new Error(`${args.join(" ")} ended with ${child.status}\n${child.stdout}${child.stderr}`);
    return child.stdout.trimEnd().split("\n").at(-1) ?? "";
  }
}
