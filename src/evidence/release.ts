import { z } from "zod";
import {
  type ComponentLeaf,
  compareComponents,
  componentId,
  digestProblem,
  KINDS,
} from "../core/component.ts";
import type { Hex } from "../core/digest.ts";
import { makeRelease, RELEASE_TYPE, type ReleaseDocument, releaseDigest } from "../core/release.ts";
import { hexSchema, makeStatement, nameSchema, type PredicateType, readPredicate } from "./predicate.ts";
import { type Statement, sha256Subject } from "./statement.ts";

/** `urn:waybill:release:v1`: what the release digest in the subject was computed from. */
export interface ReleasePredicate {
  release: ReleaseDocument;
  /** Ordered by kind and name. */
  components: ComponentLeaf[];
}

const digest = z.string().superRefine((value, ctx) => {
  const problem = digestProblem(value);
  if (problem) ctx.addIssue({ code: "custom", message: problem });
});

const leaf = z.strictObject({
  kind: z.enum(KINDS),
  name: z.string().min(1).max(64),
  mediaType: z.string().min(1).max(255),
  digest,
  size: z.int().min(0),
  origin: z.string().max(2048).exactOptional(),
  also: z.record(z.string().regex(/^[a-z0-9][a-z0-9+._-]{0,63}$/), z.string().max(256)).exactOptional(),
});

export const releasePredicate: PredicateType<ReleasePredicate> = {
  uri: RELEASE_TYPE,
  short: "release",
  title: "these components and settings are one release of the agent",
  schema: z.strictObject({
    release: z.strictObject({
      type: z.literal(RELEASE_TYPE),
      agent: nameSchema,
      hash: z.literal("sha256"),
      root: hexSchema,
      count: z.int().min(1),
      settings: hexSchema,
    }),
    components: z.array(leaf).min(1).max(1000),
  }) as unknown as z.ZodType<ReleasePredicate>,
};

/**
 * The statement that a releaser signs about an agent (docs/formats/release.md).
 *
 * @param agent the agent's name
 * @param components its component leaves, in any order
 * @param settings SHA-256 of the settings document, hex
 * @throws RangeError as `makeRelease`, and for leaves outside the schema
 */
export function makeReleaseStatement(
  agent: string,
  components: readonly ComponentLeaf[],
  settings: Hex,
): Statement {
  const release = makeRelease(agent, components, settings);
  return makeStatement(releasePredicate, [{ name: agent, digest: { sha256: release.digest } }], {
    release: release.document,
    components: components.toSorted(compareComponents),
  });
}

/**
 * Reads a release statement and computes everything in it that follows from the rest: the document's digest
 * against the subject, root and count against the leaves. Says nothing of who signed it.
 */
export function readReleaseStatement(
  statement: Statement,
): { digest: Hex; release: ReleaseDocument; components: ComponentLeaf[] } | { problem: string } {
  const read = readPredicate(releasePredicate, statement);
  if ("problem" in read) return read;
  const { release, components } = read.predicate;
  const contradiction = contradictionIn(statement, release, components);
  if (contradiction !== undefined)
    return { problem: `a release statement that contradicts itself: ${contradiction}` };
  return { digest: releaseDigest(release), release, components };
}

function contradictionIn(
  statement: Statement,
  release: ReleaseDocument,
  components: ComponentLeaf[],
): string | undefined {
  const [subject, second] = statement.subject;
  if (second !== undefined) return "it has more than one subject";
  if (subject!.name !== release.agent) return `its subject is not named ${release.agent}`;
  const digest = releaseDigest(release);
  if (sha256Subject(subject!) !== digest) return `its subject is not the release sha256:${digest}`;
  if (release.count !== components.length)
    return `the release counts ${release.count} components, ${components.length} are listed`;
  for (let i = 1; i < components.length; i += 1)
    if (compareComponents(components[i - 1]!, components[i]!) >= 0)
      return `component ${componentId(components[i]!)} is out of order or stands twice`;
  const { root } = makeRelease(release.agent, components, release.settings).document;
  return root === release.root
    ? undefined
    : `its components have the root ${root}, the release has ${release.root}`;
}
