import type { Json } from "../core/canonical-json.ts";
import { componentId } from "../core/component.ts";
import type { CheckResult, Finding, Rule } from "../core/finding.ts";
import type { Lock } from "../core/lock.ts";
import { lockContradictions } from "../core/lock-contradictions.ts";
import type { ManifestSource } from "../core/manifest.ts";
import {
  diffSettings,
  type Settings,
  type SettingsDifference,
  settingsDigest,
  settingsOf,
} from "../core/settings.ts";
import { VERIFY_RULES } from "./rules.ts";
import { failed, passed, ruleFinding } from "./step-results.ts";

/** Stands for a value that may be a secret. */
export const NOT_SHOWN = "(not shown)";

/** The lock exists. */
export function lockExists(lock: Lock | undefined): CheckResult {
  const { noLock } = VERIFY_RULES;
  if (lock) return passed(noLock, `${lock.components.length} components locked`);
  return failed(noLock, [ruleFinding(noLock, "there is no waybill.lock")], "one file looked for");
}

/** Everything in the lock that follows from the rest is what follows. */
export function lockAgrees(lock: Lock): CheckResult {
  const rule = VERIFY_RULES.contradiction;
  const coverage = `${lock.components.length} components recomputed`;
  const findings = lockContradictions(lock).map((c): Finding => {
    const of = c.component ? ` of ${componentId(c.component.leaf)}` : "";
    const message = `waybill.lock contradicts itself: the ${c.what}${of} does not follow from its contents`;
    return ruleFinding(rule, message, {
      path: "waybill.lock",
      ...(c.component ? { component: componentId(c.component.leaf) } : {}),
      expected: c.expected,
      found: c.found,
      final: true,
    });
  });
  return findings.length > 0 ? failed(rule, findings, coverage) : passed(rule, coverage);
}

/** The manifest says what was locked, the agent's name included. */
export function settingsAgree(lock: Lock, manifest: ManifestSource): CheckResult {
  const rule = VERIFY_RULES.settings;
  const found = settingsOf(manifest.manifest);
  const differences = diffSettings(byId(lock.settings), byId(found));
  if (lock.agent !== manifest.manifest.agent)
    differences.unshift({ path: ["agent"], signed: lock.agent, found: manifest.manifest.agent });
  // Whatever the comparison above does not see, such as another order: the digests are what counts.
  if (differences.length === 0 && settingsDigest(lock.settings) !== settingsDigest(found))
    differences.push({ path: ["components"], signed: lock.settings.components, found: found.components });
  const coverage = `${countLeaves(found)} settings compared`;
  const whole = wholeLists(differences, byId(lock.settings), byId(found));
  const findings = whole.slice(0, 20).map((d) => settingFinding(rule, d, manifest));
  if (whole.length > 20)
    findings.push(ruleFinding(rule, `${whole.length - 20} more settings differ`, { final: true }));
  return findings.length > 0 ? failed(rule, findings, coverage) : passed(rule, coverage);
}

type ShownDifference = SettingsDifference & { hidden: boolean };

/** An argument that was put in shifts all behind it: lists are shown whole, as one difference. */
function wholeLists(
  differences: readonly SettingsDifference[],
  signed: Settings,
  found: Settings,
): ShownDifference[] {
  const whole = new Map<string, ShownDifference>();
  for (const d of differences) {
    const index = d.path.findIndex((key) => typeof key === "number");
    const path = index === -1 ? d.path : d.path.slice(0, index);
    const name = JSON.stringify(path);
    const hidden = isSecret(d) || whole.get(name)?.hidden === true;
    const values =
      index === -1
        ? { signed: d.signed, found: d.found }
        : { signed: valueAt(signed, path), found: valueAt(found, path) };
    whole.set(name, { path, ...values, hidden });
  }
  return [...whole.values()];
}

/** Named like a secret, outside of what only names components and paths. */
function isSecret({ path }: SettingsDifference): boolean {
  return (
    ["start", "runtime", "rollout", "pact"].includes(String(path[0])) &&
    path.slice(1).some((key) => /key|token|secret|passw|passphrase|credential|pwd/i.test(String(key)))
  );
}

function valueAt(settings: Settings, path: readonly (string | number)[]): Json | undefined {
  let value: Json | undefined = settings;
  for (const key of path)
    value =
      typeof value === "object" && value !== null && Object.hasOwn(value, key)
        ? (value as Settings)[key]
        : undefined;
  return value;
}

function settingFinding(rule: Rule, d: ShownDifference, { manifest, source }: ManifestSource): Finding {
  const name = d.path.join(".");
  const [first, id, ...rest] = d.path;
  const index = manifest.components.findIndex((c) => componentId(c) === id);
  const at = first === "components" ? ["components", ...(index === -1 ? [] : [index, ...rest])] : d.path;
  const show = (value: Json | undefined): string =>
    value === undefined ? "absent" : d.hidden ? NOT_SHOWN : JSON.stringify(value);
  const verb = d.signed === undefined ? "was added" : d.found === undefined ? "was removed" : "changed";
  // What was removed stands nowhere: its parent is the nearest place.
  const gone = d.found === undefined;
  const where = source.locate(at);
  return {
    code: rule.code,
    message: `the setting ${name} ${verb} since it was locked`,
    path: "waybill.yaml",
    ...(index === -1 ? {} : { component: componentId(manifest.components[index]!) }),
    where: gone ? { ...where, length: 1 } : where,
    label: `${gone ? `${String(d.path.at(-1))} ` : ""}${verb} after \`waybill lock\``,
    expected: show(d.signed),
    found: show(d.found),
    why: rule.why,
    fix: rule.fix,
    final: true,
  };
}

/**
 * Components by their id: a difference then names the component, not a position. A lock may hold anything here:
 * what is no list of distinct components stays as it is.
 */
function byId(settings: Settings): Settings {
  const { components } = settings;
  if (!Array.isArray(components)) return settings;
  const named = new Map<string, Settings>();
  for (const component of components) {
    if (typeof component !== "object" || component === null || Array.isArray(component)) return settings;
    const { kind, name, ...rest } = component;
    if (typeof kind !== "string" || typeof name !== "string") return settings;
    named.set(`${kind}/${name}`, rest);
  }
  return named.size === components.length ? { ...settings, components: Object.fromEntries(named) } : settings;
}

function countLeaves(value: Json): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce<number>((sum, item) => sum + countLeaves(item as Json), 0);
}
