import { type RunEvent, type RunOutcome, runAllowed } from "../act/run.ts";
import { isObservedLink } from "../components/observed.ts";
import { componentId } from "../core/component.ts";
import { encodeLock, LOCK_FILE } from "../core/lock.ts";
import { MANIFEST_FILE } from "../core/manifest.ts";
import { isLink } from "../core/tree.ts";
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

  const files = [];
  const links = [];
  for (const component of agent.lock.components) {
    // An image is for a cluster to run: no process reads it out of the agent's folder.
    if (component.leaf.kind === "image") continue;
    const observed = facts.components.find((c) => c.id === componentId(component.leaf));
    if (!observed) throw new TypeError(`${componentId(component.leaf)} was verified and is not there`);
    for (const leaf of component.files) {
      const path = observed.prefix + leaf.path;
      if (isLink(leaf)) links.push({ path, link: leaf.link });
      else {
        const entry = observed.entries.find((e) => e.path === leaf.path && !isObservedLink(e));
        const source = observed.sources.get(leaf.path);
        if (!entry || source === undefined) throw new TypeError(`${path} was verified and is not there`);
        files.push({ ...leaf, path, source });
      }
    }
  }
  const outcome = await runAllowed(allowed, {
    plan: {
      releaseDigest: allowed.value.digest,
      files,
      links,
      ...(start.user === undefined ? {} : { user: start.user }),
      extra: [
        { path: MANIFEST_FILE, data: agent.manifest.source.text },
        { path: LOCK_FILE, data: encodeLock(agent.lock) },
      ],
    },
    start,
    outer: options.env,
    agentFolder: agent.path,
    ...(options.onEvent ? { onEvent: options.onEvent } : {}),
  });
  return { started: true, judgement, outcome };
}
