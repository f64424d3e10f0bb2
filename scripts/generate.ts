import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { COMMANDS } from "../src/cli/commands.ts";
import { EXIT } from "../src/cli/exit-codes.ts";
import { commandHelp } from "../src/cli/help.ts";
import { OUTPUT_SCHEMAS } from "../src/cli/output-schemas.ts";
import { JOB_ERRORS } from "../src/core/errors.ts";
import type { Rule } from "../src/core/finding.ts";
import { lockSchema } from "../src/core/lock.ts";
import { manifestSchema } from "../src/core/manifest.ts";
import { ALL_RULES } from "../src/flows/rules.ts";
import { trustSchema } from "../src/verify/trust.ts";
import { requirementsMarkdown } from "./requirements.ts";

// npm run generate [-- --check]: writes every page and schema that is made from source, or lists those that are
// stale and exits with 1.

const ROOT = join(import.meta.dirname, "..");
const SCHEMAS = "docs/schemas";

/** Families of codes in the order of their pages, with what they are about. */
const FAMILIES: Readonly<Record<string, string>> = {
  MODEL: "Models",
  DATA: "Datasets",
  PROMPT: "Prompts",
  TOOL: "Tools",
  CORPUS: "Corpora",
  CODE: "Code and files",
  DEPS: "Dependencies",
  IMAGE: "Images",
  INFRA: "Infrastructure",
  LOCK: "Manifest and lock",
  LICENSE: "Licences",
  CI: "Workflows",
  REVIEW: "Reviews",
  SIGN: "Signatures",
  TRUST: "Trust",
  LOG: "Journal",
  RUN: "Running",
  ROLL: "Channels and rollout",
  PACT: "Pacts",
  CLUSTER: "Clusters",
};

const EXIT_MEANINGS: Record<keyof typeof EXIT, string> = {
  allowed: "allowed, or the job is done",
  denied: "denied",
  usage: "the command line is not understood",
  cannotTell: "could not tell: something that the level demands could not be evaluated",
  jobFailed: "the job could not be done, so nothing was decided",
  bug: "a bug in Waybill; please report it",
  refused: "`waybill run` refused: the command was never started",
  interrupted: "interrupted",
};

const VARIABLES: readonly (readonly [string, string])[] = [
  ["WAYBILL_HOME", "folder of keys and of what doors remember; default `~/.waybill`"],
  ["WAYBILL_TRUST", "the operator's trust policy where `--trust` does not name one"],
  ["WAYBILL_PASSPHRASE", "passphrase of keys where `--passphrase-file` does not name one"],
  [
    "WAYBILL_RUN_DIR",
    "where `waybill run` makes private copies; default `/run/waybill` for root, else `$TMPDIR`; as root it must belong to root and be writable for root alone, or sticky",
  ],
  [
    "WAYBILL_USERS",
    "users that a release may run as where waybill is root, such as `65532,10000-20000`; default 65532; with a range, each run whose manifest names no user gets one of its own",
  ],
  [
    "WAYBILL_SECRETS",
    "folders from which a release may take secrets where waybill is root; default `/run/secrets:/var/run/secrets:/etc/waybill/secrets`",
  ],
  ["NO_COLOR, FORCE_COLOR", "no colour; colour also without a terminal"],
];

/** Every generated file, relative to the repository, with its text. */
export function generatedFiles(): Map<string, string> {
  const files = new Map([
    ["docs/checks.md", checksMarkdown(ALL_RULES)],
    ["docs/cli.md", cliMarkdown()],
    ["docs/requirements.md", requirementsMarkdown()],
    [`${SCHEMAS}/waybill.schema.json`, schemaText(manifestSchema, "waybill.yaml: what an agent is made of")],
    [`${SCHEMAS}/waybill.lock.schema.json`, schemaText(lockSchema, "waybill.lock: what is pinned")],
    [
      `${SCHEMAS}/waybill.trust.schema.json`,
      schemaText(trustSchema, "waybill.trust.yaml: who may sign what"),
    ],
  ]);
  for (const [name, { schema, title }] of Object.entries(OUTPUT_SCHEMAS))
    files.set(`${SCHEMAS}/output/${name}.schema.json`, schemaText(schema, title));
  return files;
}

/** Files that are not what the source makes of them: changed, absent, or a schema that nothing makes any more. */
export function staleFiles(files: ReadonlyMap<string, string>, root = ROOT): string[] {
  const changed = [...files].filter(([file, text]) => readIfThere(join(root, file)) !== text);
  return [...changed.map(([file]) => file), ...orphans(files, root)].toSorted();
}

/** Writes what is stale and removes what nothing makes any more; gives the paths. */
export function writeFiles(files: ReadonlyMap<string, string>, root = ROOT): string[] {
  const stale = staleFiles(files, root);
  for (const file of stale) {
    const text = files.get(file);
    if (text === undefined) rmSync(join(root, file));
    else {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    }
  }
  return stale;
}

function orphans(files: ReadonlyMap<string, string>, root: string): string[] {
  try {
    return readdirSync(join(root, SCHEMAS), { recursive: true, encoding: "utf8" })
      .map((name) => `${SCHEMAS}/${name.replaceAll("\\", "/")}`)
      .filter((file) => file.endsWith(".json") && !files.has(file));
  } catch {
    return [];
  }
}

/** JSON Schema of what a reader accepts. Draft 7: what editors of YAML understand. */
function schemaText(schema: z.ZodType, title: string): string {
  const made = z.toJSONSchema(schema, { io: "input", target: "draft-7" });
  const { $schema, ...rest } = made;
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}

/** The text of docs/checks.md. */
export function checksMarkdown(rules: readonly Rule[]): string {
  const lines = [
    "<!-- generated by `npm run generate` from the checks themselves: edit those -->",
    "",
    "# Checks",
    "",
    `Every code that a verdict can name: ${rules.length} of them. A code is permanent: one cause, one code, never`,
    "reused. `waybill explain CODE` prints the same offline. What is *required* at a level must be evaluated there,",
    "else the verdict is *cannot tell*: at `baseline` the groups integrity, signature and trust, at `strict` all.",
    "",
  ];
  for (const [family, title] of Object.entries(FAMILIES)) {
    const own = rules.filter((rule) => familyOf(rule.code) === family);
    if (own.length === 0) continue;
    lines.push(`## ${title}`, "");
    for (const rule of own) lines.push(...ruleSection(rule));
  }
  lines.push(
    "## Job errors",
    "",
    "The job could not be done, so nothing was decided. Exit code 4; 2 for WB-INPUT-007.",
    "",
    "| code | what happened |",
    "|---|---|",
    ...Object.entries(JOB_ERRORS).map(
      ([code, title]) => `| <a id="${code.toLowerCase()}"></a>${code} | ${escapeCell(title)} |`,
    ),
    "",
  );
  return lines.join("\n");
}

/** The family of a code: `PROMPT` of `WB-PROMPT-001`. */
export function familyOf(code: string): string {
  return code.split("-")[1] ?? "";
}

function ruleSection({ code, title, why, fix, group, blocksAt, example }: Rule): string[] {
  const lines = [
    `### ${code}`,
    "",
    `**${title}** · ${group}, blocks from \`${blocksAt}\` on`,
    "",
    why,
    "",
    "To put it right:",
    "",
    ...fence(fix, "text"),
  ];
  if (!example) return lines;
  const where = example.file === undefined ? "a listing of the folder" : `\`${example.file}\``;
  lines.push(`Fails (${where}):`, "", ...fence(example.bad, languageOf(example.file)));
  lines.push("Passes:", "", ...fence(example.good, languageOf(example.file)));
  return lines;
}

/** A fenced block that its content cannot end. */
function fence(text: string, language: string): string[] {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const mark = "`".repeat(longest + 1);
  return [mark + language, text.trimEnd(), mark, ""];
}

function languageOf(file: string | undefined): string {
  const byEnd: Record<string, string> = {
    yaml: "yaml",
    yml: "yaml",
    sh: "sh",
    py: "python",
    json: "json",
    ts: "ts",
    js: "js",
    Dockerfile: "dockerfile",
  };
  return byEnd[file?.split(/[./]/).at(-1) ?? ""] ?? "text";
}

/** The text of docs/cli.md. */
export function cliMarkdown(): string {
  const lines = [
    "<!-- generated by `npm run generate` from src/cli/table: edit those files -->",
    "",
    "# Command line",
    "",
    "Standard output is the answer, standard error the talk. Every command takes `--help`.",
    "",
    "| command | what it does |",
    "|---|---|",
    ...COMMANDS.map(
      ({ name, summary }) =>
        `| [\`waybill ${name}\`](#waybill-${name.replaceAll(" ", "-")}) | ${escapeCell(summary)} |`,
    ),
    "",
    "## Exit codes",
    "",
    "The same in every format.",
    "",
    "| code | meaning |",
    "|---:|---|",
    ...Object.entries(EXIT).map(
      ([name, code]) => `| ${code} | ${EXIT_MEANINGS[name as keyof typeof EXIT]} |`,
    ),
    "",
    "When `waybill run` starts the command, its exit status is the command's own, and so is its end by a signal.",
    "",
    "## Formats",
    "",
    `With \`--format json\` a command prints what its schema in [${SCHEMAS}/output](schemas/output) says:`,
    `${Object.keys(OUTPUT_SCHEMAS)
      .map((name) => `[${name}](schemas/output/${name}.schema.json)`)
      .join(" · ")}.`,
    "`sarif` is SARIF 2.1.0, `github` are workflow commands.",
    "",
    "## Environment",
    "",
    "| variable | meaning |",
    "|---|---|",
    ...VARIABLES.map(([name, meaning]) => `| \`${name}\` | ${meaning} |`),
    "",
  ];
  for (const command of COMMANDS)
    lines.push(`## waybill ${command.name}`, "", ...fence(commandHelp(command), "text"));
  return lines.join("\n");
}

function escapeCell(text: string): string {
  return text.replace(/[\\|<>]/g, "\\$&");
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: "boolean" } } });
  const files = generatedFiles();
  const stale = values.check ? staleFiles(files) : writeFiles(files);
  for (const file of stale) console.log(`${values.check ? "stale" : "wrote"}  ${file}`);
  if (values.check && stale.length > 0) {
    console.error("run: npm run generate");
    process.exitCode = 1;
  } else console.log(`${files.size} generated files are fresh`);
}
