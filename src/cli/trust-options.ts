import { WaybillError } from "../core/errors.ts";
import { IDENTITY_RULE, lintIdentity } from "../core/identity-lint.ts";
import { safeText } from "../core/safe-text.ts";
import { parseTimestamp } from "../evidence/timestamp.ts";
import type { EntryIdentity } from "../flows/trust-edit.ts";
import type { Arguments } from "./command.ts";
import type { Io } from "./io.ts";
import { renderError } from "./render/error.ts";

const DAY_MS = 86_400_000;

/** An instant this many days from now, RFC 3339 in whole seconds. */
export function inDays(now: Date, days: number): string {
  return new Date(now.getTime() + days * DAY_MS).toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** `a,b` as its parts. */
export function splitList(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** An instant; undefined where the option is absent. Throws WB-INPUT-007 for what is none. */
export function instantOption(options: Arguments["options"], name: string): string | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  if (typeof value === "string" && parseTimestamp(value) !== undefined) return value;
  throw new WaybillError("WB-INPUT-007", `--${name} ${safeText(String(value))}: not an instant`, {
    hint: "RFC 3339 in UTC, such as 2027-06-01T00:00:00Z",
  });
}

/**
 * `--identity SUBJECT` or `--identity-pattern PATTERN`, with `--issuer URL` and `--from-root NAME[,NAME]`;
 * undefined where none is asked for. Throws WB-INPUT-007 for half of one.
 */
export function readIdentity(options: Arguments["options"]): EntryIdentity | undefined {
  const { identity, "identity-pattern": pattern, issuer, "from-root": roots } = options;
  if (identity === undefined && pattern === undefined) {
    if (issuer === undefined) return undefined;
    throw new WaybillError("WB-INPUT-007", "--issuer needs --identity or --identity-pattern", {
      hint: "name the signer too: an issuer alone would trust everyone whom it knows",
    });
  }
  if (identity !== undefined && pattern !== undefined)
    throw new WaybillError("WB-INPUT-007", "--identity and --identity-pattern exclude each other", {
      hint: "give the exact subject, or a pattern",
    });
  if (issuer === undefined && roots === undefined)
    throw new WaybillError("WB-INPUT-007", "an identity needs --issuer URL", {
      hint: "for GitHub's workflows: --issuer https://token.actions.githubusercontent.com",
    });
  return {
    ...(issuer === undefined ? {} : { issuer: String(issuer) }),
    ...(identity === undefined ? {} : { subject: String(identity) }),
    ...(pattern === undefined ? {} : { subjectPattern: String(pattern) }),
    ...(roots === undefined ? {} : { roots: splitList(String(roots)) }),
  };
}

/** One finding of an identity that matches nobody, or strangers. */
export interface LintFinding {
  code: string;
  message: string;
  fix: string;
}

/** WB-TRUST-012 for each problem of these identities. */
export function lintFindings(identities: readonly EntryIdentity[]): LintFinding[] {
  return identities.flatMap(({ issuer, subject, subjectPattern }) => {
    const stated = {
      ...(issuer === undefined ? {} : { issuer }),
      ...(subject === undefined ? {} : { subject }),
      ...(subjectPattern === undefined ? {} : { pattern: subjectPattern }),
    };
    return lintIdentity(stated).map(({ problem, corrected }) => ({
      code: IDENTITY_RULE.code,
      message: `${subject ?? subjectPattern ?? ""}: ${problem}`,
      fix:
        corrected === undefined
          ? IDENTITY_RULE.fix
          : Object.entries(corrected)
              .map(([field, value]) => `${field === "pattern" ? "subjectPattern" : field}: ${value}`)
              .join(", "),
    }));
  });
}

/** Says on standard error what is wrong with identities; gives how many problems there are. */
export function showLint(identities: readonly EntryIdentity[], io: Io): number {
  const findings = lintFindings(identities);
  for (const { code, message, fix } of findings)
    io.err(renderError({ code, message, hint: fix }, io, "note"));
  return findings.length;
}
