import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { schemaError } from "../src/core/manifest.ts";
import { parseYaml } from "../src/core/yaml-source.ts";

// testdata/requirements.yaml → docs/requirements.md: what Waybill has to do, and the test that proves each.

const ROOT = join(import.meta.dirname, "..");

/** Where the requirements are kept by hand. */
export const REQUIREMENTS_FILE = "testdata/requirements.yaml";

/** The later issue that brings a requirement: its number, or its subject while it is not filed. */
export const openSchema = z.union([z.int().min(4), z.enum(["ci", "cluster", "score"])]);

const requirementSchema = z
  .strictObject({
    id: z.string().regex(/^R-\d{3}$/),
    seed: z.enum(["pipeline", "weights"]),
    section: z.string().min(1),
    text: z.string().min(1),
    /** `file › test name`, or `transcript › comment or command`; empty while the test described by `by` is still to be written. */
    proof: z.array(z.string().regex(/^[^›]+ › [^›]+$/, "file › test name")).optional(),
    by: z.string().min(1).optional(),
    open: openSchema.optional(),
  })
  .refine(({ proof, open }) => (proof === undefined) !== (open === undefined), "give either proof or open")
  .refine(({ proof, by }) => (by !== undefined) === (proof?.length === 0), "give by where proof is empty");

export type Requirement = z.infer<typeof requirementSchema>;

/** The titles of the two sets of requirements. */
const SEEDS = {
  pipeline: "From model weights to the production API",
  weights: "The supply chain of model weights",
} as const;

/**
 * Reads the requirements.
 *
 * @param text what stands in `testdata/requirements.yaml`; read from there by default
 * @throws WaybillError for every departure from the schema, with its line
 */
export function readRequirements(text?: string): Requirement[] {
  const source = parseYaml(text ?? readFileSync(join(ROOT, REQUIREMENTS_FILE), "utf8"), REQUIREMENTS_FILE);
  const result = z.array(requirementSchema).min(1).safeParse(source.data);
  if (!result.success) throw schemaError(source, result.error.issues);
  return result.data;
}

/** A session of testdata/transcripts: what stands after `›` is one of its comments or commands. */
export const TRANSCRIPT = /^testdata\/transcripts\/[^/]+\.txt$/;

/** Splits `file › test name`. */
export function splitProof(proof: string): { file: string; name: string } {
  const [file, name] = proof.split(" › ") as [string, string];
  return { file, name };
}

/** What a requirement's state is. */
export function stateOf({ proof, open }: Requirement): "proved" | "waiting" | "open" {
  if (open !== undefined) return "open";
  return proof === undefined || proof.length === 0 ? "waiting" : "proved";
}

/** The text of docs/requirements.md. */
export function requirementsMarkdown(requirements: readonly Requirement[] = readRequirements()): string {
  const count = (state: ReturnType<typeof stateOf>) =>
    requirements.filter((requirement) => stateOf(requirement) === state).length;
  const waiting = count("waiting");
  const lines = [
    `<!-- generated from ${REQUIREMENTS_FILE} by \`npm run generate\`: edit that file -->`,
    "",
    "# Requirements",
    "",
    "What Waybill has to do, and the test that proves each. *Open* means that a later issue brings it.",
    "",
    "| requirements | proved by a test | waiting for their test | open |",
    "|---:|---:|---:|---:|",
    `| ${requirements.length} | ${count("proved")} | ${waiting} | ${count("open")} |`,
  ];
  for (const seed of Object.keys(SEEDS) as (keyof typeof SEEDS)[]) {
    const ofSeed = requirements.filter((requirement) => requirement.seed === seed);
    if (ofSeed.length === 0) continue;
    lines.push("", `## ${SEEDS[seed]}`);
    for (const [section, rows] of Map.groupBy(ofSeed, (requirement) => requirement.section)) {
      lines.push("", `### ${section}`, "", "| | requirement | proof |", "|---|---|---|");
      for (const row of rows) lines.push(`| ${row.id} | ${cell(row.text)} | ${proofCell(row)} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function proofCell({ proof = [], by, open }: Requirement): string {
  if (open !== undefined) return typeof open === "number" ? `open (issue ${open})` : `open (${open})`;
  if (by !== undefined) return `waiting: ${cell(by)}`;
  return proof
    .map(splitProof)
    .map(({ file, name }) => `[${cell(name)}](../${encodeURI(file)})`)
    .join("<br>");
}

/** Text that cannot end a table's cell, open a link or an element. */
function cell(text: string): string {
  return text.replace(/[\\|[\]<>]/g, "\\$&").replace(/\s+/g, " ");
}
