import type { RunEvent, RunOutcome } from "../act/run.ts";
import type { WaybillError } from "../core/errors.ts";
import type { Judgement } from "../flows/judge.ts";
import type { Io } from "./io.ts";
import { renderError } from "./render/error.ts";
import { shown } from "./render/shown.ts";
import { writeVerdict } from "./verdict-output.ts";

/**
 * What `waybill run` says of the command that it starts. It goes to standard error, since standard output is the
 * command's own.
 */
export interface RunTalk {
  event(event: RunEvent): void;
  denied(judgement: Judgement): void;
  otherCommand(declared: readonly string[], asked: readonly string[]): void;
  /** Refused after the verdict, or ended before the start. */
  refused(outcome: Extract<RunOutcome, { ok: false }>): void;
  failed(error: WaybillError): void;
}

/** JSON Lines: one object a line, each with its `event` (docs/schemas/output/run.schema.json). */
export function jsonTalk(io: Io): RunTalk {
  const line = (event: string, more: object) => io.err(`${JSON.stringify({ event, ...more })}\n`);
  const refused = (reason: string, more: object) => line("refused", { reason, ...more });
  return {
    event: ({ type, ...event }) => {
      if (type === "ended") line(type, "exit" in event ? event.exit : {});
      else line(type, event);
    },
    denied: ({ verdict }) => refused("denied", { verdict }),
    otherCommand: (declared, asked) => refused("other-command", { declared, asked }),
    refused: ({ refused: reason, ok: _, ...more }) => refused(reason, more),
    failed: ({ code, message, hint }) => refused("error", { error: { code, message, hint } }),
  };
}

/** Text for people. */
export function textTalk(io: Io): RunTalk {
  const talk: Io = { ...io, out: (text) => io.err(text) };
  const notStarted = () => io.err("refused: the command was not started\n");
  return {
    event: (event) => sayEvent(event, io),
    denied(judgement) {
      writeVerdict(judgement, "text", talk);
      notStarted();
    },
    otherCommand(declared, asked) {
      // The release is allowed and only the command is another: "allowed" would be the wrong first word.
      io.err("refused: this is not the declared command\n");
      io.err(pair(JSON.stringify(declared), JSON.stringify(asked)));
      io.err(" fix  waybill run   starts the declared command\n");
    },
    refused(outcome) {
      if (outcome.refused === "mismatch") {
        io.err(`refused: ${shown(outcome.path)} changed between verification and start\n`);
        io.err(pair(outcome.expected, outcome.found));
      } else if (outcome.refused === "expired")
        io.err("refused: the verdict ended while the copy was made\n");
      else io.err(`refused: interrupted by ${outcome.signal} before the start\n`);
    },
    failed(error) {
      io.err(renderError(error, io));
      notStarted();
    },
  };
}

function pair(expected: string, found: string): string {
  return `   expected  ${shown(expected)}\n   found     ${shown(found)}\n`;
}

function sayEvent(event: RunEvent, io: Io): void {
  if (event.type === "ended") return;
  if (event.type === "copied") io.err(`verified  ${event.files} files copied to a private place\n`);
  else io.err(`started   pid ${event.pid}\n`);
  for (const claim of event.claims) {
    const proved = claim.holds && claim.grade !== "process-mutable";
    const mark = proved ? io.paint("green", "✔") : io.paint("yellow", "◌");
    io.err(`  ${mark} ${claim.name.padEnd(18)} ${claim.grade.padEnd(16)} ${shown(claim.reason)}\n`);
  }
  if (event.type !== "started") return;
  for (const { name, without } of event.environment)
    if (without) io.err(`  ${name} without ${shown(without.join(", "))}: in the agent's own folder\n`);
}
