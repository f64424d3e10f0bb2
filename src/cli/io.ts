import { outputTerminal, writeOutput } from "./standard-output.ts";

/** What a command may touch of the outer world; tests bring their own. */
export interface Io {
  /** The answer. */
  out(text: string): void;
  /** The talk. */
  err(text: string): void;
  env: NodeJS.ProcessEnv;
  cwd: string;
  now(): Date;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** Columns of standard output. */
  width: number;
  /** Whether standard error is a terminal: progress and questions need one. */
  interactive: boolean;
  paint: Paint;
}

type Style = "red" | "green" | "yellow" | "cyan" | "dim" | "bold";

/** Colours a text, or leaves it: colour is never the only sign. */
export type Paint = (style: Style, text: string) => string;

/** Colour only on a terminal, never under NO_COLOR (no-color.org) or TERM=dumb. */
export function paintFor(isTerminal: boolean, env: NodeJS.ProcessEnv): Paint {
  const wanted = env.FORCE_COLOR !== undefined ? env.FORCE_COLOR !== "0" : isTerminal;
  if (!wanted || (env.NO_COLOR ?? "") !== "" || env.TERM === "dumb") return (_style, text) => text;
  const { styleText } = process.getBuiltinModule("node:util");
  return (style, text) => (text === "" ? "" : styleText(style, text, { validateStream: false }));
}

let toldOfErrors = false;

/** Standard error, opened by the first who needs it. A reader of it that went away changes nothing. */
function standardError(): NodeJS.WriteStream {
  if (!toldOfErrors) process.stderr.on("error", () => {});
  toldOfErrors = true;
  return process.stderr;
}

/** True when nothing was written to standard error that could be on its way still. */
export function errorsAreUnused(): boolean {
  return !toldOfErrors;
}

/** The Io of a real process. */
export function processIo(signal: AbortSignal): Io {
  const terminal = outputTerminal();
  return {
    out: writeOutput,
    err: (text) => void standardError().write(text),
    env: process.env,
    cwd: process.cwd(),
    now: () => new Date(),
    signal,
    width: Math.max(40, Math.min(terminal?.columns ?? 100, 120)),
    get interactive() {
      return standardError().isTTY === true;
    },
    paint: paintFor(terminal !== undefined, process.env),
  };
}
