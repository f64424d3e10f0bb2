import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import type { Arguments, Command } from "./command.ts";

// `import … from "node:util"` would load all that it can give, which a fast start has no time for.
const { parseArgs } = process.getBuiltinModule("node:util");

/** What the command line asks for. */
export type Parsed =
  | { want: "help"; command?: Command; family?: string }
  | { want: "version" }
  | { want: "run"; command: Command; args: Arguments };

/**
 * Reads a command line against the table.
 *
 * @param argv without the program's own name
 * @param commands the table, or as much of it as can be meant
 * @throws WaybillError WB-INPUT-007 with the nearest command or the accepted values
 */
export function parseCommandLine(argv: readonly string[], commands: readonly Command[]): Parsed {
  const [first, second] = argv;
  const isFamily = (word: string | undefined): word is string =>
    commands.some(({ name }) => name.startsWith(`${word} `));
  if (first === undefined || first === "help" || first === "--help" || first === "-h") {
    const named = first === "help" ? findCommand(argv.slice(1), commands) : undefined;
    if (first === "help" && !named && isFamily(second)) return { want: "help", family: second };
    if (first === "help" && second !== undefined && !second.startsWith("-") && !named)
      throw unknownCommand(argv.slice(1, 3), commands);
    return { want: "help", ...(named ? { command: named } : {}) };
  }
  if (first === "--version" || first === "-V" || first === "version") return { want: "version" };
  const command = findCommand(argv, commands);
  if (!command && isFamily(first) && (second === "--help" || second === "-h"))
    return { want: "help", family: first };
  if (!command) throw unknownCommand([first, second], commands);
  const rest = argv.slice(command.name.split(" ").length);
  const own = rest.indexOf("--") === -1 ? rest : rest.slice(0, rest.indexOf("--"));
  if (own.includes("--help") || own.includes("-h")) return { want: "help", command };
  return { want: "run", command, args: parseOptions(command, rest) };
}

function findCommand(argv: readonly string[], commands: readonly Command[]): Command | undefined {
  return commands.find((command) => command.name.split(" ").every((word, i) => argv[i] === word));
}

function parseOptions(command: Command, rest: readonly string[]): Arguments {
  const hint = `waybill ${command.name} --help`;
  const specs = Object.entries(command.options);
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({
      args: [...rest],
      allowPositionals: true,
      strict: true,
      options: Object.fromEntries(
        specs.map(([name, { type, short, default: value }]) => [
          name,
          { type, ...(short ? { short } : {}), ...(value === undefined ? {} : { default: value }) },
        ]),
      ),
    });
  } catch (cause) {
    const message = (cause as Error).message
      .split(". To specify")[0]!
      .split("\n")[0]!
      .replace(/^Option '(?:-\w, )?(--[\w-]+).*' argument (?:missing|is ambiguous.*)$/, "$1 needs a value");
    throw new WaybillError("WB-INPUT-007", safeText(message.charAt(0).toLowerCase() + message.slice(1)), {
      hint,
      cause,
    });
  }
  const options = parsed.values as Arguments["options"];
  for (const [name, { oneOf }] of specs) {
    const value = options[name];
    if (oneOf && typeof value === "string" && !oneOf.includes(value))
      throw new WaybillError(
        "WB-INPUT-007",
        `--${name} ${safeText(value)}: must be one of ${oneOf.join(", ")}`,
        { hint },
      );
  }
  const [least, most] = command.count;
  const { positionals } = parsed;
  if (positionals.length < least || positionals.length > most)
    throw new WaybillError("WB-INPUT-007", wordsProblem(command, positionals), { hint });
  return { options, positionals };
}

/** Too few operands, or the words that are too many. */
function wordsProblem(
  { name, operands = "", count: [least, most] }: Command,
  words: readonly string[],
): string {
  if (words.length < least) return `something is missing: waybill ${name} ${operands}`;
  return `unexpected words: ${
    words
      .slice(most === 1 ? 1 : 0)
      .map(safeText)
      .join(" ") || words.join(" ")
  }`;
}

function unknownCommand(words: readonly (string | undefined)[], commands: readonly Command[]): WaybillError {
  const said = words.filter((word) => word !== undefined && !word.startsWith("-")).join(" ");
  const first = said.split(" ")[0] ?? "";
  const group = commands.filter((command) => command.name.startsWith(`${first} `));
  const near = commands
    .map((c) => c.name)
    .map((name) => ({ name, distance: editDistance(name, first) }))
    .toSorted((a, b) => a.distance - b.distance)[0]!;
  const hint =
    group.length > 0
      ? group.map((c) => `waybill ${c.name}`).join(", ")
      : near.distance <= 2
        ? `did you mean: waybill ${near.name}`
        : "waybill --help";
  return new WaybillError("WB-INPUT-007", `there is no command '${safeText(said || String(words[0]))}'`, {
    hint,
  });
}

/** Levenshtein distance of two short words; longer ones are far away. */
function editDistance(a: string, b: string): number {
  if (a.length > 32 || b.length > 32) return 99;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
