import type { ComponentId } from "../core/component.ts";
import type { Finding, Rule } from "../core/finding.ts";
import { safeText } from "../core/safe-text.ts";
import type { OmsComparison, OmsDifference } from "../evidence/oms-compare.ts";
import { MODEL_RULES } from "./model-rules.ts";

/** Findings of one signature at the most; the rest is counted in a last one. */
const MAX_FINDINGS = 20;

/** What a comparison is about. */
export interface ModelPlace {
  /** The model, as people know it. */
  model: string;
  component?: ComponentId;
  /** Makes a path in the model one that people can find. */
  prefix: string;
  /** The signature's file. */
  file: string;
}

const SAID: Record<OmsDifference["what"], (path: string, file: string) => string> = {
  changed: (path, file) => `${path} is not the one that ${file} signs`,
  missing: (path, file) => `${path} is signed by ${file} and is not there`,
  unlisted: (path, file) => `${path} is not signed by ${file}`,
  link: (path, file) => `${path} is a link, and ${file} signs a file`,
};

/** What holding a signature against a model has shown, as findings: differences, and what the signer left out. */
export function comparisonFindings({ differences, ignored }: OmsComparison, place: ModelPlace): Finding[] {
  const findings = differences.slice(0, MAX_FINDINGS).map((d) => {
    const path = safeText(place.prefix + (d.path === "." ? "" : d.path)) || place.model;
    return modelFinding(
      d.what === "unlisted" ? MODEL_RULES.unlisted : MODEL_RULES.changed,
      place,
      SAID[d.what](path, place.file),
      {
        path,
        ...(d.expected === undefined ? {} : { expected: d.expected }),
        ...(d.found === undefined ? {} : { found: safeText(d.found) }),
        final: true,
      },
    );
  });
  const rest = differences.length - findings.length;
  if (rest > 0)
    findings.push(
      modelFinding(
        MODEL_RULES.changed,
        place,
        `${rest} more paths of ${place.model} differ from ${place.file}`,
      ),
    );
  if (ignored.length > 0)
    findings.push(
      modelFinding(
        MODEL_RULES.ignored,
        place,
        `${place.file} leaves out ${ignored.length} of the files of ${place.model}`,
        {
          path: safeText(place.prefix + ignored[0]!),
          details: ignored.slice(0, MAX_FINDINGS).map((path) => safeText(place.prefix + path)),
        },
      ),
    );
  return findings;
}

/** A finding of one of the rules about model signatures. */
export function modelFinding(
  rule: Rule,
  place: Pick<ModelPlace, "component">,
  message: string,
  more: Partial<Finding> = {},
): Finding {
  const { component } = place;
  return {
    code: rule.code,
    message,
    ...(component === undefined ? {} : { component }),
    why: rule.why,
    fix: rule.fix,
    ...more,
  };
}
