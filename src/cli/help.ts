import type { Command } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { FAMILIES } from "./families.ts";
import { wrap } from "./render/finding.ts";

/** Help fits a terminal of this width. */
const WIDTH = 80;

/** The overview: every command of one word and every family, a line each; it fits a screen. */
export function overview(): string {
  const lines = new Map<string, string>();
  for (const { name, summary } of COMMANDS) {
    const [first = "", second] = name.split(" ");
    lines.set(first, second === undefined ? summary : (FAMILIES[first] ?? ""));
  }
  const width = Math.max(...[...lines.keys()].map((name) => name.length));
  return [
    "pins a whole AI agent into one signed release digest, checked at every door",
    "",
    "usage: waybill COMMAND [OPTIONS]",
    "",
    ...[...lines].map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "exit codes: 0 allowed, 1 denied, 2 usage, 3 cannot tell, 4 could not be done,",
    "            70 bug, 125 run refused, 130 interrupted",
    "begin with: waybill init && waybill lock && waybill check",
    "more:       waybill COMMAND --help",
    "",
  ].join("\n");
}

/** The commands that begin with one word. */
export function familyHelp(family: string): string {
  const members = COMMANDS.filter((command) => command.name.startsWith(`${family} `));
  const width = Math.max(...members.map((command) => command.name.length));
  return [
    FAMILIES[family] ?? "",
    "",
    `usage: waybill ${family} COMMAND [OPTIONS]`,
    "",
    ...members.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`),
    "",
    `more: waybill ${family} COMMAND --help`,
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
    ...command.examples.flatMap(exampleLines),
    "",
  ].join("\n");
}

/** An example, continued on further lines as a shell reads it; a single long word stays whole. */
function exampleLines(example: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const part of example.split(/ (?=--)/)) {
    if (line !== "" && line.length + part.length + 5 > WIDTH) {
      lines.push(`  ${line} \\`);
      line = `  ${part}`;
    } else line = line === "" ? part : `${line} ${part}`;
  }
  return [...lines, `  ${line}`];
}
