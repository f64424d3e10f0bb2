import type { Command } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { wrap } from "./render/finding.ts";

/** Help fits a terminal of this width. */
const WIDTH = 80;

/** The overview: every command, a line each; it fits a screen. */
export function overview(): string {
  const width = Math.max(...COMMANDS.map((command) => command.name.length));
  return [
    "pins a whole AI agent into one signed release digest, checked at every door",
    "",
    "usage: waybill COMMAND [OPTIONS]",
    "",
    ...COMMANDS.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`),
    "",
    "exit codes: 0 allowed, 1 denied, 2 usage, 3 cannot tell, 4 could not be done,",
    "            70 bug, 125 run refused, 130 interrupted",
    "",
    "examples:",
    "  waybill init && waybill lock          # from a folder to a release digest",
    "  waybill check                         # what would a reviewer say?",
    "  waybill COMMAND --help                # options and more examples",
    "",
  ].join("\n");
}

/** Help of one command: usage, options, examples that run. */
export function commandHelp(command: Command): string {
  const options = Object.entries(command.options).map(([name, option]) => {
    const left = `${option.short ? `-${option.short}, ` : ""}--${name}${option.value ? ` ${option.value}` : ""}`;
    return [
      left,
      `${option.help}${option.default === undefined ? "" : ` (default: ${option.default})`}`,
    ] as const;
  });
  options.push(["-h, --help", "show this"]);
  const width = Math.max(...options.map(([left]) => left.length));
  const operands = command.operands ? ` ${command.operands}` : "";
  return [
    command.summary,
    "",
    `usage: waybill ${command.name} [OPTIONS]${operands}`,
    "",
    ...options.flatMap(([left, right]) =>
      wrap(right, WIDTH - width - 4, "").map(
        (line, i) => `  ${(i === 0 ? left : "").padEnd(width)}  ${line}`,
      ),
    ),
    "",
    "examples:",
    ...command.examples.map((example) => `  ${example}`),
    "",
  ].join("\n");
}
