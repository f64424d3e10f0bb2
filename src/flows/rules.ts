import { INTEGRITY_CHECKS } from "../checks/integrity.ts";
import { CHECKS } from "../checks/registry.ts";
import type { Rule } from "../core/finding.ts";
import { IDENTITY_RULE } from "../core/identity-lint.ts";
import { JOURNAL_RULES } from "../journal/rules.ts";
import { BUNDLE_RULES } from "../verify/bundle-rules.ts";
import { IMAGE_RULES } from "../verify/image-rules.ts";
import { LOG_RULE } from "../verify/log-step.ts";
import { MODEL_RULES } from "../verify/model-rules.ts";
import { VERIFY_RULES } from "../verify/rules.ts";

/** Every rule that a verdict can name: the source of `explain` and of docs/checks.md. */
export const ALL_RULES: readonly Rule[] = [
  ...Object.values(VERIFY_RULES),
  IDENTITY_RULE,
  ...Object.values(BUNDLE_RULES),
  LOG_RULE,
  ...Object.values(IMAGE_RULES),
  ...Object.values(MODEL_RULES),
  ...Object.values(JOURNAL_RULES),
  ...INTEGRITY_CHECKS.map((check) => check.rule),
  ...CHECKS.map((check) => check.rule),
];
