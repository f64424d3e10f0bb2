import { INTEGRITY_CHECKS } from "../checks/integrity.ts";
import { CHECKS } from "../checks/registry.ts";
import type { Rule } from "../core/finding.ts";
import { VERIFY_RULES } from "../verify/rules.ts";

/** Every rule that a verdict can name: the source of `explain` and of docs/checks.md. */
export const ALL_RULES: readonly Rule[] = [
  ...Object.values(VERIFY_RULES),
  ...INTEGRITY_CHECKS.map((check) => check.rule),
  ...CHECKS.map((check) => check.rule),
];
