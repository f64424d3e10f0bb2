import type { Finding, Rule } from "../core/finding.ts";
import { type JsonNode, member, parseJsonSource, stringOf } from "../formats/json-source.ts";
import type { Check, FolderFacts, TextFile } from "./check.ts";
import { gitReference, isCommit } from "./pins.ts";
import { conclude, count, placeIn, quote } from "./places.ts";
import { textKind, unreadOf } from "./scanned-texts.ts";
import { npmDependencies, pythonDependencies } from "./unpinned-dependency.ts";

const rule: Rule = {
  code: "WB-DEPS-011",
  title: "locked dependencies carry a hash",
  why: "A version names a package, not its bytes: a registry, a mirror or a proxy can serve others under the same version. With a hash in the lock the installer refuses them; without one it cannot know.",
  fix: "pip-compile --generate-hashes (pip), npm install --package-lock-only (npm), and commit the result",
  group: "hygiene",
  blocksAt: "strict",
  example: {
    file: "requirements.txt",
    bad: "anthropic==0.21.3",
    good: `anthropic==0.21.3 --hash=sha256:${"0123456789abcdef".repeat(4)}`,
  },
};

/** The entries of a lock with the ones that lack a hash. */
interface Entries {
  total: number;
  lacking: { name: string; label: string; offset: number; length: number }[];
}

/** Entries of a package-lock.json of version 2 or 3; undefined for other versions and unreadable ones. */
function packageLock(file: TextFile): Entries | undefined {
  const root = parseJsonSource(file.text);
  const packages = member(root, "packages");
  if (packages?.type !== "object") return undefined;
  const found: Entries = { total: 0, lacking: [] };
  for (const { key, keyStart, value } of packages.entries) {
    // The root, workspaces and links to them are folders here; bundled packages lie in their parent's archive.
    const external = key.startsWith("node_modules/") || key.includes("/node_modules/");
    if (!external || isTrue(value, "link") || isTrue(value, "inBundle")) continue;
    found.total += 1;
    const label = shortfall(stringOf(member(value, "integrity")), stringOf(member(value, "resolved")));
    if (label) found.lacking.push({ name: key, label, offset: keyStart, length: key.length + 2 });
  }
  return found;
}

function shortfall(integrity: string | undefined, resolved: string | undefined): string | undefined {
  if (integrity === undefined)
    return isCommit(gitReference(resolved ?? "")?.ref) ? undefined : "no integrity field";
  return /(?:^|\s)sha(?:512-[A-Za-z0-9+/]{86}==|384-[A-Za-z0-9+/]{64}|256-[A-Za-z0-9+/]{43}=)/.test(integrity)
    ? undefined
    : "a weak or malformed integrity field";
}

function isTrue(node: JsonNode, key: string): boolean {
  const value = member(node, key);
  return value?.type === "other" && value.value === true;
}

function run(facts: FolderFacts) {
  const findings: Finding[] = [];
  const unjudged: string[] = [];
  const paths = new Set([...facts.texts, ...facts.unreadTexts].map(({ path }) => path));
  let [total, lacking] = [0, 0];
  for (const file of facts.texts) {
    const entries = entriesOf(file, paths, unjudged);
    if (!entries) continue;
    total += entries.total;
    lacking += entries.lacking.length;
    const first = entries.lacking[0];
    if (!first) continue;
    const shown = entries.lacking.slice(0, 10).map(({ name, label }) => `${quote(name)}: ${label}`);
    const more = entries.lacking.length - shown.length;
    findings.push({
      code: rule.code,
      message: `${entries.lacking.length} of ${count(entries.total, "dependency")} in '${quote(file.path)}' carry no hash`,
      path: file.path,
      where: placeIn(file, first.offset, first.length),
      label: first.label,
      expected: "a SHA-256 or SHA-512 for each",
      found: `${entries.total - entries.lacking.length} of ${entries.total} with one`,
      details: more > 0 ? [...shown, `and ${more} more`] : shown,
      why: rule.why,
      fix:
        textKind(file.path) === "requirements"
          ? `pip-compile --generate-hashes ${quote(file.path)}`
          : "npm install --package-lock-only",
    });
  }
  const coverage =
    total === 0
      ? "no lock entry in the texts"
      : `${total - lacking} of ${total} lock entries carry an integrity hash`;
  const unread = unreadOf(facts, ["requirements", "lockfile", "package-json"]);
  return conclude(rule, { findings, unjudged, coverage }, unread);
}

/** The entries of a text that is a lock, or that stands in for a missing one. */
function entriesOf(file: TextFile, paths: ReadonlySet<string>, unjudged: string[]): Entries | undefined {
  const kind = textKind(file.path);
  const name = file.path.slice(file.path.lastIndexOf("/") + 1);
  if (kind === "requirements") {
    const direct = pythonDependencies(file);
    return {
      total: direct.length,
      lacking: direct.filter((d) => !d.hashed).map((d) => ({ ...d, label: "no --hash" })),
    };
  }
  if (kind === "package-json") {
    // Without any lockfile from here up to the top, nothing holds a hash of what is declared here.
    const folders = file.path.split("/").map((_, i, all) => all.slice(0, i).join("/"));
    const locked = folders.some((folder) =>
      NPM_LOCKS.some((lock) => paths.has(folder === "" ? lock : `${folder}/${lock}`)),
    );
    const direct = locked ? [] : (npmDependencies(file) ?? []);
    const lacking = direct.filter((d) => !d.hashed).map((d) => ({ ...d, label: "no lockfile beside it" }));
    return { total: direct.length, lacking };
  }
  if (kind !== "lockfile") return undefined;
  const entries =
    name === "package-lock.json" || name === "npm-shrinkwrap.json" ? packageLock(file) : undefined;
  if (!entries) unjudged.push(`${quote(file.path)}: a lockfile in a format that is not read yet`);
  return entries;
}

const NPM_LOCKS = ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock"];

/** WB-DEPS-011. */
export const unhashedDependency: Check = { rule, run };
