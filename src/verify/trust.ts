import type { KeyObject } from "node:crypto";
import { z } from "zod";
import type { Hex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { schemaError } from "../core/manifest.ts";
import { parseYaml, type YamlSource } from "../core/yaml-source.ts";
import { hexSchema, nameSchema } from "../evidence/predicate.ts";
import { predicateByShort } from "../evidence/registry.ts";
import { parseTimestamp, timestamp } from "../evidence/timestamp.ts";
import { importPublicKey, type KeyHints, keyHints } from "../sign/keys.ts";

export const TRUST_FILE = "waybill.trust.yaml";

const nameOrAny = z.union([z.literal("*"), nameSchema]);

/** The schema of `waybill.trust.yaml`; published as docs/schemas/waybill.trust.schema.json. */
export const trustSchema = z.strictObject({
  waybillTrust: z.literal("v1").meta({ description: "version of this format" }),
  version: z.int().min(1).meta({ description: "rises with every change" }),
  expires: timestamp.meta({ description: "from then on this file trusts no one" }),
  principals: z
    .array(
      z.strictObject({
        name: nameSchema.meta({ description: "a person or workload; thresholds count these, never keys" }),
        keys: z
          .array(
            z.strictObject({
              publicKey: z
                .string()
                .max(4096)
                .meta({ description: "PEM (SPKI), ECDSA P-256, P-384 or P-521" }),
              notBefore: timestamp.exactOptional().meta({ description: "counts from this instant" }),
              notAfter: timestamp.exactOptional().meta({ description: "no longer counts from this instant" }),
            }),
          )
          .max(100),
      }),
    )
    .max(1000),
  rules: z
    .array(
      z.strictObject({
        evidence: z.string().max(64).meta({ description: "short name of a predicate: release, channel" }),
        agents: z.array(nameOrAny).min(1).max(1000).meta({ description: 'exact names, or "*"' }),
        targets: z.array(nameOrAny).min(1).max(1000).default(["*"]).meta({ description: "for channel only" }),
        principals: z.array(nameSchema).max(1000),
        threshold: z.int().min(1).meta({ description: "distinct principals that must have signed" }),
      }),
    )
    .max(1000),
  revoked: z
    .array(
      z.strictObject({
        key: hexSchema.meta({ description: "hex SHA-256 of the key's SPKI in DER" }),
        compromisedSince: timestamp.exactOptional(),
        reason: z.string().min(1).max(1024),
      }),
    )
    .max(10_000)
    .default([]),
});

type TrustDocument = z.infer<typeof trustSchema>;
export type TrustRule = TrustDocument["rules"][number];
export type Revocation = TrustDocument["revoked"][number];

/** A key that trust names. */
export interface TrustedKey extends KeyHints {
  principal: string;
  publicKey: KeyObject;
  /** Milliseconds since 1970; it counts while notBefore <= now < notAfter. */
  notBefore: number;
  notAfter: number;
}

/** A trust policy, checked and ready to be asked. It says nothing of where it came from. */
export interface Trust {
  version: number;
  /** RFC 3339. */
  expires: string;
  principals: string[];
  keys: TrustedKey[];
  rules: TrustRule[];
  /** By key id. */
  revoked: ReadonlyMap<Hex, Revocation>;
  source: YamlSource;
}

/**
 * Reads a trust policy (DESIGN §4 "Trust"; docs/formats/trust.md). Empty lists are well formed and trust no one.
 *
 * @throws WaybillError WB-INPUT-003, WB-INPUT-005 (see `parseYaml`), WB-INPUT-006 with every departure from the
 * schema, a key that stands twice, an unknown principal or a threshold that cannot be met, each with its line
 */
export function parseTrust(text: string, file = TRUST_FILE): Trust {
  const source = parseYaml(text, file);
  const result = trustSchema.safeParse(source.data);
  if (!result.success) throw notTrust(source, result.error.issues);
  const document = result.data;
  const issues: Issue[] = [];
  const keys = trustedKeys(document, issues);
  ruleIssues(document, issues);
  if (issues.length > 0) throw notTrust(source, issues);
  return {
    version: document.version,
    expires: document.expires,
    principals: document.principals.map(({ name }) => name),
    keys,
    rules: document.rules,
    revoked: new Map(document.revoked.map((entry) => [entry.key, entry])),
    source,
  };
}

/** The manifest's error with a hint that fits a trust policy. */
function notTrust(...[source, issues]: Parameters<typeof schemaError>): WaybillError {
  const { code, message } = schemaError(source, issues);
  return new WaybillError(code, message, {
    hint: "docs/formats/trust.md says what it holds; `waybill keys show --trust` prints one to begin with",
  });
}

type Issue = { path: (string | number)[]; message: string };

function trustedKeys(document: TrustDocument, issues: Issue[]): TrustedKey[] {
  const keys = new Map<Hex, TrustedKey>();
  const names = new Set<string>();
  document.principals.forEach((principal, i) => {
    if (names.has(principal.name))
      issues.push({ path: ["principals", i, "name"], message: `${principal.name} stands twice` });
    names.add(principal.name);
    principal.keys.forEach((entry, j) => {
      const path = ["principals", i, "keys", j, "publicKey"];
      const [notBefore, notAfter] = [bound(entry.notBefore, -Infinity), bound(entry.notAfter, Infinity)];
      if (notBefore >= notAfter) issues.push({ path, message: "notBefore is not before notAfter" });
      try {
        const publicKey = importPublicKey(entry.publicKey);
        const key = { ...keyHints(publicKey), principal: principal.name, publicKey, notBefore, notAfter };
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

function ruleIssues(document: TrustDocument, issues: Issue[]): void {
  const names = new Set(document.principals.map(({ name }) => name));
  document.rules.forEach((rule, i) => {
    const say = (key: string, message: string) => issues.push({ path: ["rules", i, key], message });
    // A misspelt name would silently trust no one, a target on a release would look like a limit and be none.
    if (!predicateByShort(rule.evidence)) say("evidence", `no evidence is called ${rule.evidence}`);
    if (rule.evidence !== "channel" && rule.targets.some((target) => target !== "*"))
      say("targets", "only channel statements have a target");
    for (const name of rule.principals)
      if (!names.has(name)) say("principals", `no principal is called ${name}`);
    const distinct = new Set(rule.principals).size;
    // An empty list trusts no one whatever the threshold; a list too short by mistake must be seen.
    if (distinct > 0 && rule.threshold > distinct)
      say("threshold", `${rule.threshold} of ${distinct} principals can never be met`);
  });
}

function bound(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : parseTimestamp(text)!;
}
