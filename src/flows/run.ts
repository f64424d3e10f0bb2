import { planOf } from "../act/release-plan.ts";
import { type RunEvent, type RunOutcome, runAllowed } from "../act/run.ts";
import { type Judgement, type JudgeOptions, judge } from "./judge.ts";

/** A run that was refused at the door, or how it went. */
export type RunResult =
  | { started: false; judgement: Judgement; why: "denied" | "other-command" }
  | { started: true; judgement: Judgement; outcome: RunOutcome };

/**
 * Verifies a folder at the door `start` and runs the declared command out of a private copy.
 *
 * @param options `command`: what the caller asks to run; it must be exactly the declared one, empty means it
 * @throws WaybillError as `judge` and `runAllowed`
 */
export async function runFolder(
  options: Omit<JudgeOptions, "door"> & {
    command: readonly string[];
    onJudged?: (judgement: Judgement) => void;
    onEvent?: (event: RunEvent) => void;
  },
): Promise<RunResult> {
  const judgement = await judge({ ...options, door: "start", only: "verify" });
  const { agent, allowed, facts } = judgement;
  const { start } = agent.manifest.manifest;
  if (!allowed || !agent.lock) return { started: false, judgement, why: "denied" };
  const declared = JSON.stringify(start.command);
  if (options.command.length > 0 && JSON.stringify(options.command) !== declared)
    return { started: false, judgement, why: "other-command" };
  options.onJudged?.(judgement);

  const { plan } = planOf(allowed, agent.lock, agent.manifest, facts.components);
  const outcome = await runAllowed(allowed, {
    plan,
    start,
    outer: options.env,
    agentFolder: agent.path,
    ...(options.onEvent ? { onEvent: options.onEvent } : {}),
  });
  return { started: true, judgement, outcome };
}
