import { type Document, isMap, isSeq, parseDocument, Scalar, type YAMLMap, type YAMLSeq } from "yaml";
import type { Json } from "../core/canonical-json.ts";
import { WaybillError } from "../core/errors.ts";
import { importPublicKey, keyId } from "../sign/keys.ts";
import { parseTrust, type Trust } from "../verify/trust.ts";

/** One change of a trust policy; names and values as they stand in the file. */
export type TrustChange =
  | { add: "principal"; name: string }
  | { add: "key"; principal: string; publicKey: string; window: EntryWindow }
  | { add: "identity"; principal: string; identity: EntryIdentity; window: EntryWindow }
  | {
      add: "rule";
      principal: string;
      evidence: string;
      agents: string[];
      targets?: string[];
      threshold?: number;
    }
  | { add: "root"; principal: string; threshold?: number }
  | { add: "trusted-root"; name: string; root: Json }
  | { add: "witness"; key: string; threshold?: number }
  | { add: "revocation"; entry: Record<string, Json> }
  | { end: "key"; keyId: string; at: string }
  | { end: "identity"; identity: EntryIdentity; at: string }
  | { expires: string };

export interface EntryWindow {
  notBefore?: string;
  notAfter?: string;
}

export interface EntryIdentity {
  issuer?: string;
  subject?: string;
  subjectPattern?: string;
  roots?: string[];
}

/** A policy before and after a change. */
export interface EditedTrust {
  before: Trust;
  after: Trust;
}

/**
 * Changes a trust policy's text: comments and order stay, `version` rises by one.
 *
 * @param file its name for messages
 * @param amend the version has been signed by nobody yet, so no door can have accepted it: it stays
 * @throws WaybillError as `parseTrust`, for the policy before or after; WB-INPUT-006 when what ends is not there
 */
export function editTrust(
  text: string,
  file: string,
  changes: readonly TrustChange[],
  amend = false,
): EditedTrust {
  const before = parseTrust(text, file);
  const version = amend ? before.version : before.version + 1;
  return { before, after: parseChanged(changed(before, changes, version), file) };
}

/** Reads what a change has made. Nobody has that text, so its lines are no places to look at. */
function parseChanged(text: string, file: string): Trust {
  try {
    return parseTrust(text, file);
  } catch (cause) {
    if (!(cause instanceof WaybillError) || cause.code !== "WB-INPUT-006") throw cause;
    const lines = cause.message.split("\n").map((line) => line.slice(placeLength(line, file)));
    throw new WaybillError(cause.code, `${file} would not be a trust policy: ${lines.join("\n")}`, {
      hint: "nothing was written; docs/formats/trust.md says what a policy holds",
      cause,
    });
  }
}

/** How long `FILE:LINE:COLUMN: ` is at the beginning of a line. */
function placeLength(line: string, file: string): number {
  if (!line.startsWith(`${file}:`)) return 0;
  return file.length + (/^:\d+:\d+: /.exec(line.slice(file.length))?.[0].length ?? 0);
}

/** A new policy's text with changes made to it; its version stays. Throws as `editTrust`. */
export function completeTrust(text: string, changes: readonly TrustChange[]): Trust {
  const before = parseTrust(text);
  return parseTrust(changed(before, changes, before.version));
}

function changed(before: Trust, changes: readonly TrustChange[], version: number): string {
  const document = parseDocument(before.source.text, { schema: "core", merge: false });
  for (const change of changes) apply(document, change, before);
  document.set("version", version);
  // Quotes, since a plain word may mean something else to an older reader, and lines are never folded.
  return document.toString({
    lineWidth: 0,
    defaultStringType: "QUOTE_DOUBLE",
    defaultKeyType: "PLAIN",
    flowCollectionPadding: false,
  });
}

function apply(document: Document, change: TrustChange, before: Trust): void {
  if ("expires" in change) {
    document.set("expires", plain(change.expires));
    return;
  }
  if ("end" in change) {
    endEntry(document, change);
    return;
  }
  switch (change.add) {
    case "principal":
      principalNode(document, change.name);
      return;
    case "key": {
      const publicKey = new Scalar(`${change.publicKey.trim()}\n`);
      publicKey.type = Scalar.BLOCK_LITERAL;
      const entry = document.createNode(times(change.window)) as YAMLMap;
      entry.items.unshift(document.createPair("publicKey", publicKey));
      list(document, principalNode(document, change.principal), "keys").add(entry);
      return;
    }
    case "identity": {
      const entry = document.createNode({ ...change.identity, ...times(change.window) });
      list(document, principalNode(document, change.principal), "identities").add(entry);
      return;
    }
    case "rule":
      addRule(document, change);
      return;
    case "root": {
      if (!document.has("roots"))
        document.set("roots", document.createNode({ principals: [], threshold: 1 }));
      const roots = document.get("roots") as YAMLMap;
      addName(document, roots, change.principal);
      if (change.threshold !== undefined) roots.set("threshold", change.threshold);
      return;
    }
    case "trusted-root":
      addTrustedRoot(document, change.name, change.root, before);
      return;
    case "witness": {
      if (!document.has("witnesses"))
        document.set("witnesses", document.createNode({ threshold: 1, keys: [] }));
      const witnesses = document.get("witnesses") as YAMLMap;
      list(document, witnesses, "keys").add(document.createNode(change.key));
      if (change.threshold !== undefined) witnesses.set("threshold", change.threshold);
      return;
    }
    case "revocation":
      list(document, document.contents as YAMLMap, "revoked").add(document.createNode(change.entry));
  }
}

/** Adds a principal to the rule for the same things, or a rule for it. */
function addRule(document: Document, change: Extract<TrustChange, { add: "rule" }>): void {
  const { principal, evidence, agents, targets = ["*"], threshold } = change;
  const rules = list(document, document.contents as YAMLMap, "rules");
  const same = (node: unknown): node is YAMLMap => {
    if (!isMap(node)) return false;
    const rule = node.toJS(document) as { evidence: string; agents: string[]; targets?: string[] };
    return (
      rule.evidence === evidence &&
      sameNames(rule.agents, agents) &&
      sameNames(rule.targets ?? ["*"], targets)
    );
  };
  const known = rules.items.find(same);
  if (known) {
    addName(document, known, principal);
    if (threshold !== undefined) known.set("threshold", threshold);
    return;
  }
  const limits = sameNames(targets, ["*"]) ? {} : { targets };
  rules.add(
    document.createNode({ evidence, agents, ...limits, principals: [principal], threshold: threshold ?? 1 }),
  );
}

function addTrustedRoot(document: Document, name: string, root: Json, before: Trust): void {
  const roots = list(document, document.contents as YAMLMap, "trustedRoots");
  const entry = document.createNode({ name, root });
  const at = roots.items.findIndex((node) => isMap(node) && node.get("name") === name);
  if (at !== -1) {
    roots.items[at] = entry;
    return;
  }
  roots.add(entry);
  const [only, ...more] = before.trustedRoots;
  if (!only || more.length > 0) return;
  // With one root its name could be left out; what was meant then is written down now.
  for (const principal of entries(document, "principals"))
    for (const identity of sequence(principal, "identities"))
      if (!identity.has("roots")) identity.set("roots", document.createNode([only.name]));
}

function endEntry(document: Document, change: Extract<TrustChange, { end: string }>): void {
  for (const principal of entries(document, "principals"))
    for (const entry of sequence(principal, change.end === "key" ? "keys" : "identities")) {
      const data = entry.toJS(document) as { publicKey: string } & EntryIdentity;
      const meant =
        change.end === "key"
          ? keyId(importPublicKey(data.publicKey)) === change.keyId
          : data.issuer === change.identity.issuer &&
            data.subject === change.identity.subject &&
            data.subjectPattern === change.identity.subjectPattern;
      if (!meant) continue;
      entry.set("notAfter", plain(change.at));
      return;
    }
  throw new WaybillError("WB-INPUT-006", `the trust policy names no such ${change.end}`, {
    hint: "waybill trust show lists what it names",
  });
}

function principalNode(document: Document, name: string): YAMLMap {
  const principals = list(document, document.contents as YAMLMap, "principals");
  const known = principals.items.find((node) => isMap(node) && node.get("name") === name);
  if (isMap(known)) return known;
  const made = document.createNode({ name }) as YAMLMap;
  principals.add(made);
  return made;
}

/** The list under a key, made when it is absent; an empty `[]` becomes a block, so that comments find room. */
function list(document: Document, parent: YAMLMap, key: string): YAMLSeq {
  const known = parent.get(key);
  if (isSeq(known)) {
    if (known.items.length === 0) known.flow = false;
    return known;
  }
  const made = document.createNode([]) as YAMLSeq;
  parent.set(key, made);
  return made;
}

function addName(document: Document, parent: YAMLMap, name: string): void {
  const names = list(document, parent, "principals");
  if (!(names.toJS(document) as string[]).includes(name)) names.add(document.createNode(name));
}

function entries(document: Document, key: string): YAMLMap[] {
  return sequence(document.contents as YAMLMap, key);
}

function sequence(parent: YAMLMap, key: string): YAMLMap[] {
  const node = parent.get(key);
  return isSeq(node) ? node.items.filter((item): item is YAMLMap => isMap(item)) : [];
}

function plain(text: string): Scalar {
  const scalar = new Scalar(text);
  scalar.type = Scalar.PLAIN;
  return scalar;
}

function times({ notBefore, notAfter }: EntryWindow): Record<string, Scalar> {
  return {
    ...(notBefore === undefined ? {} : { notBefore: plain(notBefore) }),
    ...(notAfter === undefined ? {} : { notAfter: plain(notAfter) }),
  };
}

function sameNames(one: readonly string[], other: readonly string[]): boolean {
  return new Set(one).symmetricDifference(new Set(other)).size === 0;
}
