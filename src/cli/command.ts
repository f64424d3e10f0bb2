import type { Io } from "./io.ts";

/** One option of a command, as `node:util` parseArgs takes it, with what help and docs say of it. */
export interface OptionSpec {
  type: "string" | "boolean";
  short?: string;
  default?: string;
  /** Placeholder of its value. */
  value?: string;
  help: string;
  /** The only values that are accepted. */
  oneOf?: readonly string[];
}

/** Values of the options and the words that are none. */
export interface Arguments {
  options: Record<string, string | boolean | undefined>;
  positionals: string[];
}

/** Does a command's work and gives its exit code. */
export type Run = (args: Arguments, io: Io) => Promise<number>;

/** A command as the table knows it; its work is loaded when it is called. */
export interface Command {
  /** One or two words, such as `keys create`. */
  name: string;
  summary: string;
  /** Words after the options, such as `[-- CMD…]`. */
  operands?: string;
  /** How many operands it takes at the least and at the most. */
  count: [number, number];
  options: Record<string, OptionSpec>;
  examples: readonly string[];
  load(): Promise<Run>;
}
