import type { KeyObject } from "node:crypto";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import { type Hex, sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { schemaError } from "../core/manifest.ts";
import { type NoteVerifier, parseVerifierKey } from "../core/note.ts";
import { parseYaml, type YamlSource } from "../core/yaml-source.ts";
import { evidenceByShort } from "../evidence/predicate-names.ts";
import { parseTimestamp } from "../evidence/timestamp.ts";
import { importPublicKey, type KeyHints, keyHints } from "../sign/keys.ts";
import { type NamedRoot, parseTrustedRoot } from "../sign/trusted-root.ts";
import { describeIdentity, type TrustedIdentity } from "./trust-identity.ts";
import { type TrustDocument, trustSchema } from "./trust-schema.ts";

export { trustSchema };

export const TRUST_FILE = "waybill.trust.yaml";

export type TrustRule = TrustDocument["rules"][number];
export type Revocation = TrustDocument["revoked"][number];

/** A key that trust names. */
export interface TrustedKey extends KeyHints {
  principal: string;
  publicKey: KeyObject;
  /** Milliseconds since 1970; it counts while notBefore <= time of signing < notAfter. */
  notBefore: number;
  notAfter: number;
}

/** A trust policy, checked and ready to be asked. It says nothing of where it came from. */
export interface Trust {
  version: number;
  /** RFC 3339. */
  expires: string;
  /** SHA-256 of the parsed document in RFC 8785: what the roots of trust sign. */
  digest: Hex;
  principals: string[];
  keys: TrustedKey[];
  identities: TrustedIdentity[];
  rules: TrustRule[];
  /** Who signs versions of this policy; absent where its operator places it by hand. */
  roots?: { principals: string[]; threshold: number };
  trustedRoots: NamedRoot[];
  witnesses?: { threshold: number; keys: NoteVerifier[] };
  /** By key id. */
  revoked: ReadonlyMap<Hex, Revocation>;
  /** Those of identities. */
  revokedIdentities: (Revocation & { identity: NonNullable<Revocation["identity"]> })[];
  source: YamlSource;
}

/**
 * Reads a trust policy (DESIGN §4 "Trust"; docs/formats/trust.md). Empty lists are well formed and trust no one.
 *
 * @throws WaybillError WB-INPUT-003, WB-INPUT-005 (see `parseYaml`), WB-INPUT-006 with every departure from the
 * schema, a key or identity that stands twice, an unknown name or a threshold that cannot be met, each with its line
 */
export function parseTrust(text: string, file = TRUST_FILE): Trust {
  const source = parseYaml(text, file);
  const result = trustSchema.safeParse(source.data);
  if (!result.success) throw notTrust(source, result.error.issues);
  const document = result.data;
  const issues: Issue[] = [];
  const principals = principalNames(document, issues);
  const keys = trustedKeys(document, issues);
  const trustedRoots = namedRoots(document, issues);
  const identities = trustedIdentities(document, issues);
  ruleIssues(document, principals, issues);
  const witnesses = witnessKeys(document, issues);
  const revoked = new Map<Hex, Revocation>();
  const revokedIdentities: Trust["revokedIdentities"] = [];
  document.revoked.forEach((entry, i) => {
    const { key, identity } = entry;
    if ((key === undefined) === (identity === undefined))
      issues.push({ path: ["revoked", i], message: "either key or identity belongs here" });
    // Of two entries for one key the stricter holds: see `stricter`.
    if (key !== undefined) revoked.set(key, stricter(revoked.get(key), entry));
    if (identity) revokedIdentities.push({ ...entry, identity });
  });
  if (issues.length > 0) throw notTrust(source, issues);
  return {
    version: document.version,
    expires: document.expires,
    digest: sha256(canonicalJson(source.data)),
    principals,
    keys,
    identities,
    rules: document.rules,
    ...(document.roots ? { roots: document.roots } : {}),
    trustedRoots,
    ...(witnesses ? { witnesses } : {}),
    revoked,
    revokedIdentities,
    source,
  };
}

/** The manifest's error with a hint that fits a trust policy. */
function notTrust(...[source, issues]: Parameters<typeof schemaError>): WaybillError {
  const { code, message } = schemaError(source, issues);
  return new WaybillError(code, message, {
    hint: "docs/formats/trust.md says what it holds; `waybill trust init` writes one to begin with",
  });
}

type Issue = { path: (string | number)[]; message: string };

function principalNames(document: TrustDocument, issues: Issue[]): string[] {
  const names = new Set<string>();
  document.principals.forEach(({ name }, i) => {
    if (names.has(name)) issues.push({ path: ["principals", i, "name"], message: `${name} stands twice` });
    names.add(name);
  });
  return [...names];
}

function trustedKeys(document: TrustDocument, issues: Issue[]): TrustedKey[] {
  const keys = new Map<Hex, TrustedKey>();
  document.principals.forEach((principal, i) => {
    principal.keys.forEach((entry, j) => {
      const path = ["principals", i, "keys", j, "publicKey"];
      const window = readWindow(entry, path, issues);
      try {
        const publicKey = importPublicKey(entry.publicKey);
        const key = { ...keyHints(publicKey), principal: principal.name, publicKey, ...window };
        const other = keys.get(key.keyId);
        // One key for two principals would count twice towards a threshold.
        if (other) issues.push({ path, message: `this key stands already under ${other.principal}` });
        else keys.set(key.keyId, key);
      } catch (error) {
        if (!(error instanceof WaybillError)) throw error;
        issues.push({ path, message: error.message });
      }
    });
  });
  return [...keys.values()];
}

function trustedIdentities(document: TrustDocument, issues: Issue[]): TrustedIdentity[] {
  const known = document.trustedRoots.map(({ name }) => name);
  const identities: TrustedIdentity[] = [];
  document.principals.forEach((principal, i) => {
    principal.identities.forEach((entry, j) => {
      const path = ["principals", i, "identities", j];
      const say = (message: string, key?: string) =>
        issues.push({ path: key === undefined ? path : [...path, key], message });
      const { issuer, subject, subjectPattern: pattern, roots } = entry;
      if ((subject === undefined) === (pattern === undefined))
        say("either subject or subjectPattern belongs here");
      // Among several authorities a name is worth what the one is worth that gave it.
      if (roots === undefined && known.length > 1)
        say(`roots must say which of ${known.join(", ")} may issue it`);
      if (roots === undefined && issuer === undefined)
        say("without an issuer, roots must say whose certificates are meant");
      for (const name of roots ?? [])
        if (!known.includes(name)) say(`no trusted root is called ${name}`, "roots");
      const identity: TrustedIdentity = {
        principal: principal.name,
        ...(issuer === undefined ? {} : { issuer }),
        ...(subject === undefined ? {} : { subject }),
        ...(pattern === undefined ? {} : { pattern }),
        roots: new Set(roots ?? known),
        ...readWindow(entry, path, issues),
      };
      const name = subject ?? pattern ?? "";
      const other = identities.find(
        (one) =>
          one.principal !== principal.name &&
          one.issuer === issuer &&
          one.subject === subject &&
          one.pattern === pattern &&
          (one.roots.size === 0 || !one.roots.isDisjointFrom(identity.roots)),
      );
      if (other)
        say(
          `${describeIdentity({ ...(issuer === undefined ? {} : { issuer }), subject: name })} stands already under ${other.principal}`,
        );
      identities.push(identity);
    });
  });
  return identities;
}

function namedRoots(document: TrustDocument, issues: Issue[]): NamedRoot[] {
  const roots: NamedRoot[] = [];
  document.trustedRoots.forEach(({ name, root: data }, i) => {
    const path = ["trustedRoots", i];
    if (roots.some((other) => other.name === name))
      issues.push({ path: [...path, "name"], message: `${name} stands twice` });
    const root = parseTrustedRoot(data as Json);
    if ("problem" in root) issues.push({ path: [...path, "root"], message: root.problem });
    else roots.push({ name, root });
  });
  return roots;
}

function witnessKeys(document: TrustDocument, issues: Issue[]): Trust["witnesses"] {
  const { witnesses } = document;
  if (!witnesses) return undefined;
  const keys: NoteVerifier[] = [];
  const raw = witnesses.keys.map(rawKey);
  for (const [i, text] of witnesses.keys.entries()) {
    const say = (message: string) => issues.push({ path: ["witnesses", "keys", i], message });
    const verifier = parseVerifierKey(text);
    if ("problem" in verifier) say(verifier.problem);
    else if (!verifier.time) say("a key of a log: witnesses have cosignature keys (type 0x04)");
    // A quorum counts witnesses: one under two names, or with two keys, would be two.
    else if (raw.indexOf(raw[i]!) !== i || keys.some(({ name }) => name === verifier.name))
      say(`the witness ${verifier.name} stands twice`);
    else keys.push(verifier);
  }
  const { threshold } = witnesses;
  if (threshold > raw.length)
    issues.push({
      path: ["witnesses", "threshold"],
      message: `${threshold} of ${raw.length} witnesses can never be met`,
    });
  return { threshold, keys };
}

/** The key itself in `name+id+base64`: the base64 may hold plus signs, the name and the id may not. */
function rawKey(text: string): string {
  return text.split("+").slice(2).join("+");
}

function ruleIssues(document: TrustDocument, names: readonly string[], issues: Issue[]): void {
  const group = (
    path: (string | number)[],
    { principals, threshold }: { principals: string[]; threshold: number },
  ) => {
    for (const name of principals)
      if (!names.includes(name))
        issues.push({ path: [...path, "principals"], message: `no principal is called ${name}` });
    const distinct = new Set(principals).size;
    // An empty list trusts no one whatever the threshold; a list too short by mistake must be seen.
    if (distinct > 0 && threshold > distinct)
      issues.push({
        path: [...path, "threshold"],
        message: `${threshold} of ${distinct} principals can never be met`,
      });
  };
  document.rules.forEach((rule, i) => {
    const say = (key: string, message: string) => issues.push({ path: ["rules", i, key], message });
    // A misspelt name would silently trust no one, a target on a release would look like a limit and be none.
    if (rule.evidence === "trust") say("evidence", "who signs versions of this policy stands under roots");
    else if (!evidenceByShort(rule.evidence)) say("evidence", `no evidence is called ${rule.evidence}`);
    if (rule.evidence !== "channel" && rule.targets.some((target) => target !== "*"))
      say("targets", "only channel statements have a target");
    group(["rules", i], rule);
  });
  if (document.roots) group(["roots"], document.roots);
}

function readWindow(
  entry: { notBefore?: string; notAfter?: string },
  path: (string | number)[],
  issues: Issue[],
): { notBefore: number; notAfter: number } {
  const notBefore = entry.notBefore === undefined ? -Infinity : parseTimestamp(entry.notBefore)!;
  const notAfter = entry.notAfter === undefined ? Infinity : parseTimestamp(entry.notAfter)!;
  if (notBefore >= notAfter) issues.push({ path, message: "notBefore is not before notAfter" });
  return { notBefore, notAfter };
}

/** The revocation that refuses more: one without a date refuses all, else the earlier date. */
function stricter(one: Revocation | undefined, other: Revocation): Revocation {
  if (one === undefined || other.compromisedSince === undefined) return other;
  if (one.compromisedSince === undefined) return one;
  return parseTimestamp(one.compromisedSince)! <= parseTimestamp(other.compromisedSince)! ? one : other;
}
