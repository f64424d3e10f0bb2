import type { Finding } from "../../core/finding.ts";
import { safeText } from "../../core/safe-text.ts";
import { waybillHome } from "../../flows/home.ts";
import { openTrust } from "../../flows/trust-save.ts";
import { findTrust, trustVersions } from "../../flows/trust-source.ts";
import type { Trust } from "../../verify/trust.ts";
import { trustVersion } from "../../verify/trust-version.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { counted } from "../plain-words.ts";
import { renderError } from "../render/error.ts";
import { type LintFinding, lintFindings } from "../trust-options.ts";

/** `waybill trust show`: who may sign what, until when, and whether this machine's doors would take it over. */
export const run: Run = ({ options, positionals }, io) => {
  const named = positionals[0] ?? (options.trust as string | undefined) ?? io.env.WAYBILL_TRUST;
  const { policy } = openTrust(named);
  const source = findTrust(undefined, named, io.env);
  const versions = trustVersions(source, {
    home: waybillHome(io.env),
    env: io.env,
    digest: options["trust-digest"] as string | undefined,
  });
  const step = trustVersion(policy, versions ?? { signatures: [], history: new Map() }, io.now());
  const refused = step.results.flatMap((result) => (result.status === "fail" ? result.findings : []));
  const stated = policy.identities.map(({ issuer, subject, pattern }) => ({
    ...(issuer === undefined ? {} : { issuer }),
    ...(subject === undefined ? {} : { subject }),
    ...(pattern === undefined ? {} : { subjectPattern: pattern }),
  }));
  const findings = [...refused, ...lintFindings(stated), ...unreachable(policy), ...dead(policy, io.now())];
  if (options.format === "json") io.out(`${JSON.stringify(answer(policy, findings), null, 2)}\n`);
  else show(policy, findings, io);
  return Promise.resolve(findings.length === 0 ? EXIT.allowed : EXIT.denied);
};

type Shown = Finding | LintFinding;

/** Identities that no authority can vouch for. */
function unreachable(policy: Trust): LintFinding[] {
  return policy.identities
    .filter(({ roots }) => roots.size === 0)
    .map(({ subject, pattern, principal }) => ({
      code: "WB-TRUST-012",
      message: `${subject ?? pattern ?? ""} of ${principal}: the policy trusts no authority that issues certificates`,
      fix: "waybill trust add --sigstore-public, or --trusted-root FILE",
    }));
}

/** Roots of which too few can still sign: the next version could never be made. */
function dead(policy: Trust, now: Date): LintFinding[] {
  if (!policy.roots) return [];
  const { principals, threshold } = policy.roots;
  const alive = [...new Set(principals)].filter(
    (name) =>
      policy.identities.some(({ principal, notAfter }) => principal === name && notAfter > now.getTime()) ||
      policy.keys.some(
        ({ principal, keyId, notAfter }) =>
          principal === name && !policy.revoked.has(keyId) && notAfter > now.getTime(),
      ),
  );
  if (alive.length >= threshold) return [];
  return [
    {
      code: "WB-TRUST-012",
      message: `only ${alive.length} of the ${threshold} roots that must sign a version still can`,
      fix: "waybill trust add --root --principal NAME --public-key FILE",
    },
  ];
}

function answer(policy: Trust, findings: readonly Shown[]) {
  return {
    file: policy.source.file,
    version: policy.version,
    digest: `sha256:${policy.digest}`,
    expires: policy.expires,
    principals: policy.principals.map((name) => ({
      name,
      keys: policy.keys
        .filter(({ principal }) => principal === name)
        .map(({ keyId, notBefore, notAfter }) => ({
          keyId,
          ...window({ notBefore, notAfter }),
          revoked: policy.revoked.has(keyId),
        })),
      identities: policy.identities
        .filter(({ principal }) => principal === name)
        .map(({ issuer, subject, pattern, roots, notBefore, notAfter }) => ({
          ...(issuer === undefined ? {} : { issuer }),
          ...(subject === undefined ? { subjectPattern: pattern ?? "" } : { subject }),
          roots: [...roots],
          ...window({ notBefore, notAfter }),
        })),
    })),
    rules: policy.rules,
    ...(policy.roots ? { roots: policy.roots } : {}),
    trustedRoots: policy.trustedRoots.map(({ name, root }) => ({
      name,
      certificateAuthorities: root.certificateAuthorities.length,
      logs: root.tlogs.length,
      timestampAuthorities: root.timestampAuthorities.length,
    })),
    ...(policy.witnesses
      ? {
          witnesses: {
            threshold: policy.witnesses.threshold,
            names: policy.witnesses.keys.map((k) => k.name),
          },
        }
      : {}),
    revoked: [...policy.revoked.values(), ...policy.revokedIdentities].map((entry) => ({ ...entry })),
    findings: findings.map(({ code, message, fix }) => ({ code, message, fix })),
  };
}

function show(policy: Trust, findings: readonly Shown[], io: Io): void {
  const told = answer(policy, findings);
  const line = (text: string) => io.out(`${safeText(text)}\n`);
  line(`trust policy ${told.file}  version ${told.version}, until ${told.expires}`);
  line(`  ${told.digest}`);
  line("who");
  for (const { name, keys, identities } of told.principals) {
    line(`  ${name}`);
    for (const key of keys)
      line(`    key ${key.keyId.slice(0, 12)}${span(key)}${key.revoked ? "  revoked" : ""}`);
    for (const one of identities) {
      line(`    ${"subject" in one ? one.subject : `${one.subjectPattern}  (pattern)`}${span(one)}`);
      line(
        `      by ${one.issuer ?? "an authority without issuers"}, ${one.roots.join(", ") || "no trusted root"}`,
      );
    }
  }
  line("may sign");
  const wide = Math.max(...told.rules.map(({ evidence }) => evidence.length));
  for (const rule of told.rules) {
    const where = rule.targets.includes("*") ? "" : ` at ${rule.targets.join(", ")}`;
    const agents = rule.agents.includes("*") ? "every agent" : rule.agents.join(", ");
    line(
      `  ${rule.evidence.padEnd(wide)}  ${agents}${where}: ${rule.threshold} of ${rule.principals.join(", ") || "no one"}`,
    );
  }
  line(
    told.roots
      ? `  versions of this policy: ${told.roots.threshold} of ${told.roots.principals.join(", ")}`
      : "  versions of this policy: whoever can write the file",
  );
  for (const root of told.trustedRoots)
    line(
      `trusted root ${root.name}: ${[counted(root.certificateAuthorities, "certificate authority"), counted(root.logs, "log"), counted(root.timestampAuthorities, "timestamp authority")].join(", ")}`,
    );
  if (told.witnesses) line(`witnesses: ${told.witnesses.threshold} of ${told.witnesses.names.join(", ")}`);
  for (const entry of told.revoked)
    line(
      `revoked ${entry.key?.slice(0, 12) ?? entry.identity?.subject ?? ""}: ${entry.reason}${entry.compromisedSince ? `, compromised since ${entry.compromisedSince}` : ""}`,
    );
  for (const { code, message, fix } of findings) {
    io.out(`\n${renderError({ code, message, hint: fix }, io)}`);
  }
}

function window({ notBefore, notAfter }: { notBefore: number; notAfter: number }): {
  notBefore?: string;
  notAfter?: string;
} {
  const text = (ms: number) => new Date(ms).toISOString().replace(".000Z", "Z");
  return {
    ...(Number.isFinite(notBefore) ? { notBefore: text(notBefore) } : {}),
    ...(Number.isFinite(notAfter) ? { notAfter: text(notAfter) } : {}),
  };
}

function span({ notBefore, notAfter }: { notBefore?: string; notAfter?: string }): string {
  return `${notBefore === undefined ? "" : `  from ${notBefore}`}${notAfter === undefined ? "" : `  until ${notAfter}`}`;
}
