import type { Finding, Rule } from "../core/finding.ts";
import type { DocumentPath } from "../core/yaml-source.ts";
import type { Check, FolderFacts } from "./check.ts";
import { conclude, count } from "./places.ts";

const rule: Rule = {
  code: "WB-RUN-011",
  title: "no secret is written in the manifest",
  why: "The manifest is committed, its values go into the lock, and both are shown in findings, diffs and dashboards. A key that stands there is known to everyone who ever reads the repository, and it stays in the history when it is taken out.",
  fix: "revoke the key, then name where the new one comes from: {secret: env:NAME} or {secret: file:/run/secrets/NAME}",
  group: "hygiene",
  blocksAt: "baseline",
  example: {
    file: "waybill.yaml",
    bad: "start:\n  command: [node, agent.js]\n  env:\n    PROVIDER_API_KEY: not-a-real-key-but-written-here",
    good: "start:\n  command: [node, agent.js]\n  env:\n    PROVIDER_API_KEY: {secret: env:PROVIDER_API_KEY}",
  },
};

const SECRET_NAME =
  /(?:^|_)(?:API_?KEY|ACCESS_?KEY|SECRET_?KEY|PRIVATE_?KEY|ENCRYPTION_?KEY|SIGNING_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|CREDENTIALS?|PAT)$/i;
/** Names that end in one of these words and hold no secret. */
const PUBLIC_NAME =
  /(?:^|_)(?:PUBLIC|PRIMARY|PARTITION|SORT|CACHE|MAX|STOP|PAD|EOS|BOS|UNK|OLD)_(?:KEY|TOKEN)$|^PWD$|^OLDPWD$/i;
/** Beginnings of well-known credentials, each with at least a few characters behind it. */
const SECRET_VALUE =
  /(?:^|[^A-Za-z0-9])(?:sk-[A-Za-z0-9_-]{16}|sk_live_|rk_live_|ghp_|gho_|ghs_|ghu_|github_pat_|glpat-|hf_[A-Za-z0-9]{16}|xox[abprs]-|AKIA[A-Z0-9]{12}|ASIA[A-Z0-9]{12}|AIza[A-Za-z0-9_-]{20}|npm_[A-Za-z0-9]{16}|pypi-[A-Za-z0-9]{16}|dop_v1_|SG\.[A-Za-z0-9_-]{16}|gsk_[A-Za-z0-9]{16}|r8_[A-Za-z0-9]{16}|hvs\.[A-Za-z0-9]{12}|eyJ[A-Za-z0-9_-]{16,400}\.eyJ|-----BEGIN [A-Z ]{0,30}PRIVATE KEY)|:\/\/[^/\s:@]{1,100}:[^/\s:@$]{3,200}@/;

function run(facts: FolderFacts) {
  const { manifest, source } = facts.manifest;
  const findings: Finding[] = [];
  // The line itself is not pointed at: whoever renders the place would show the secret with it.
  const found = (what: string, path: DocumentPath, length: number, label: string): void => {
    const { line, column } = source.locate(path);
    findings.push({
      code: rule.code,
      message: `${what} holds a secret in plain text, at ${source.file}:${line}:${column}`,
      path: source.file,
      label,
      expected: "{secret: env:NAME} or {secret: file:/path}",
      found: `a literal of ${count(length, "character")}, not shown`,
      why: rule.why,
      fix: rule.fix,
    });
  };
  let literals = 0;
  for (const [name, value] of Object.entries(manifest.start.env)) {
    if (typeof value !== "string") continue;
    literals += 1;
    const path = ["start", "env", name];
    if (SECRET_VALUE.test(value)) found(`'${name}'`, path, value.length, "it has the form of a credential");
    else if (
      SECRET_NAME.test(name) &&
      !PUBLIC_NAME.test(name) &&
      value !== "" &&
      !/^(?:\/|file:)/.test(value)
    )
      found(`'${name}'`, path, value.length, "its name is that of a credential");
  }
  manifest.start.command.forEach((word, i) => {
    if (SECRET_VALUE.test(word))
      found(
        `argument ${i} of the command`,
        ["start", "command", i],
        word.length,
        "it has the form of a credential",
      );
  });
  const words = manifest.start.command.length;
  const coverage = `${count(literals, "literal value")} and ${count(words, "word")} of the command`;
  return conclude(rule, { findings, unjudged: [], coverage });
}

/** WB-RUN-011. */
export const secretInManifest: Check = { rule, run };
