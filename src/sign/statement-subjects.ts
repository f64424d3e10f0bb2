import { JsonSyntaxError, parseStrictJson } from "../core/strict-json.ts";
import { fieldsOf, listOf, optional, ShapeError, textOf } from "./json-shape.ts";

/** What any in-toto statement says, whatever its predicate: enough to verify what a bundle is about. */
export interface StatementSubjects {
  predicateType: string;
  /** Digests in lower-case hex by algorithm, one record a subject. */
  subjects: readonly Readonly<Record<string, string>>[];
}

const TYPES = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

/**
 * Reads type and subjects of an in-toto statement (in-toto Attestation Framework, statement layer v1 and v0.1); the
 * predicate is not looked at. Of another type, and without one, nobody knows what its fields mean: refused.
 */
export function readSubjects(payload: Buffer): StatementSubjects | { problem: string } {
  try {
    const text = payload.toString("utf8");
    if (!Buffer.from(text, "utf8").equals(payload)) throw new ShapeError("not UTF-8 text");
    const limits = { maxBytes: payload.length, maxDepth: 100, maxNodes: 2_000_000 };
    const statement = fieldsOf(parseStrictJson(text, limits), "statement");
    if (!TYPES.includes(textOf(statement._type, "_type", 128)))
      throw new ShapeError("_type: not one that is known");
    return {
      predicateType: textOf(statement.predicateType, "predicateType", 2048),
      subjects: listOf(statement.subject, "subject", 10_000).map((each, i) => {
        const digest = optional(fieldsOf(each, `subject.${i}`), "digest");
        const found = digest === undefined ? {} : fieldsOf(digest, `subject.${i}.digest`);
        return Object.fromEntries(
          Object.entries(found).map(([name, hex]) => [name, textOf(hex, `subject.${i}.digest`, 1024)]),
        );
      }),
    };
  } catch (error) {
    if (error instanceof ShapeError || error instanceof JsonSyntaxError) return { problem: error.message };
    throw error;
  }
}

/** Digests that can be compared, from the strongest habit down. */
const COMPARED = ["sha256", "sha384", "sha512"];

/**
 * True when a subject is this artifact: every digest of it that can be computed agrees, and at least one is there.
 *
 * @param digestOf hex of the artifact by algorithm, or undefined where only another digest of it is known
 */
export function isSubject(
  subject: Readonly<Record<string, string>>,
  digestOf: (algorithm: string) => string | undefined,
): boolean {
  let compared = 0;
  for (const algorithm of COMPARED) {
    const stated = Object.hasOwn(subject, algorithm) ? subject[algorithm] : undefined;
    const found = stated === undefined ? undefined : digestOf(algorithm);
    if (found === undefined) continue;
    if (found !== stated) return false;
    compared += 1;
  }
  return compared > 0;
}
