import type { Manifest } from "../core/manifest.ts";
import type { Release } from "../core/release.ts";
import { type Allowed, assertAllowed } from "../policy/allowed.ts";
import type { Claim } from "./claims.ts";
import type { CopyPlan, CopyRefusal } from "./copy-plan.ts";
import { type EnvironmentClaim, resolveEnvironment } from "./environment.ts";
import { makePrivateCopy } from "./private-copy.ts";
import { type Exit, type SuperviseOptions, supervise } from "./supervise.ts";

export interface RunOptions {
  plan: CopyPlan;
  /** The manifest's `start`, verified with the release. */
  start: Pick<Manifest["start"], "command" | "env">;
  /** What inherited variables and `env:` secrets are taken from, and the operator's own WAYBILL_USERS and so on. */
  outer: NodeJS.ProcessEnv;
  /** The folder that the plan's sources are in: nothing in it is executed. */
  agentFolder: string;
  /** Base of private copies; default WAYBILL_RUN_DIR and so on, see `makePrivateCopy`. */
  runDir?: string;
  stdio?: SuperviseOptions["stdio"];
  onEvent?(event: RunEvent): void;
  /** Milliseconds since 1970; default the clock. */
  now?(): number;
}

/** What happens, in this order: data for a face to print and for an attestor to sign. */
export type RunEvent =
  | { type: "copied"; folder: string; files: number; bytes: number; claims: Claim[] }
  | { type: "started"; pid: number; claims: Claim[]; environment: EnvironmentClaim[] }
  | { type: "ended"; exit: Exit; copyRemoved: boolean };

/** How a run ended, or why nothing was started. */
export type RunOutcome =
  | { ok: true; exit: Exit }
  | ({ ok: false; refused: "mismatch" } & Omit<CopyRefusal, "ok">)
  | { ok: false; refused: "expired"; validUntil: number }
  | { ok: false; refused: "interrupted"; signal: NodeJS.Signals };

const INTERRUPTS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/**
 * Runs an allowed release: copies it to a private place, starts its declared command there with its declared
 * environment, waits for its end and removes the copy. Children that the command leaves behind are ended with it
 * only where it runs as another user, see `supervise`; others go on after the end, without the copy. Prints nothing. A file that is not the release's, a
 * verdict that runs out and a signal during the copy end it before anything was started.
 *
 * @throws TypeError for what `decide()` did not allow at the door `start`
 * @throws WaybillError WB-INPUT-013, WB-INPUT-014, WB-STORE-001, WB-STORE-002; nothing is left of the copy
 */
export async function runAllowed(allowed: Allowed<Release>, options: RunOptions): Promise<RunOutcome> {
  const { plan, start, outer, onEvent } = options;
  const now = options.now ?? Date.now;
  assertAllowed(allowed, "start", now());
  if (allowed.value.digest !== plan.releaseDigest) throw new Error("the plan is of another release");
  // Before the copy, which may take long: what cannot be started is told at once.
  const { env, claims: environment } = resolveEnvironment(
    start.env,
    outer,
    {
      WAYBILL_RELEASE: `sha256:${allowed.value.digest}`,
    },
    options.agentFolder,
  );

  const interrupt = new Interrupt();
  try {
    const copy = await makePrivateCopy(plan, {
      signal: interrupt.signal,
      users: outer.WAYBILL_USERS,
      ...(options.runDir === undefined ? {} : { runDir: options.runDir }),
    });
    if (!copy.ok) return { ...copy, refused: "mismatch" };
    try {
      onEvent?.({
        type: "copied",
        folder: copy.folder,
        files: copy.files,
        bytes: copy.bytes,
        claims: [copy.claim],
      });
      // A copy may take longer than the verdict stands.
      const { validUntil } = allowed;
      if (now() >= validUntil) return { ok: false, refused: "expired", validUntil };
      interrupt.signal.throwIfAborted();
      const running = supervise({
        command: start.command,
        cwd: copy.folder,
        env,
        agentFolder: options.agentFolder,
        ...(copy.user === undefined ? {} : { user: copy.user, userAlone: copy.userAlone }),
        ...(options.stdio === undefined ? {} : { stdio: options.stdio }),
        onStarted: (pid, claims) => onEvent?.({ type: "started", pid, claims, environment }),
      });
      // It listens to signals itself from its first turn on.
      interrupt.stop();
      const exit = await running;
      onEvent?.({ type: "ended", exit, copyRemoved: copy.dispose() });
      return { ok: true, exit };
    } finally {
      copy.dispose();
    }
  } catch (error) {
    if (interrupt.by !== undefined && error === interrupt.signal.reason)
      return { ok: false, refused: "interrupted", signal: interrupt.by };
    throw error;
  } finally {
    interrupt.stop();
  }
}

/** Turns the first signal that asks us to end into an abort, so that the copy is removed. */
class Interrupt {
  by: NodeJS.Signals | undefined;
  private readonly controller = new AbortController();

  constructor() {
    for (const signal of INTERRUPTS) process.on(signal, this.onSignal);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  stop(): void {
    for (const signal of INTERRUPTS) process.off(signal, this.onSignal);
  }

  private readonly onSignal = (signal: NodeJS.Signals): void => {
    this.by ??= signal;
    this.controller.abort();
  };
}
