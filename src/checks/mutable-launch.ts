import type { Finding, Rule, SourceRange } from "../core/finding.ts";
import { type JsonNode, member, parseJsonSource, stringOf } from "../formats/json-source.ts";
import { programOf } from "../formats/shell.ts";
import type { Check, FolderFacts, TextFile } from "./check.ts";
import { codeLaunches } from "./code-launches.ts";
import { type Launch, launchOf } from "./launches.ts";
import { conclude, count, placeIn, quote } from "./places.ts";
import { textKind, unreadOf } from "./scanned-texts.ts";
import { RUNNABLE, snippetsOf } from "./snippets.ts";

const rule: Rule = {
  code: "WB-TOOL-010",
  title: "tool servers are launched from an exact version",
  why: "`npx -y`, `uvx` and `docker run` fetch whatever the registry calls newest and run it with the agent's rights. The tools that the agent then sees are not the ones that were reviewed, and nobody changed a file. An exact version, or an image digest, is fetched the same every time.",
  fix: "name the exact version: npx -y NAME@1.2.3, uvx NAME==1.2.3, docker run IMAGE@sha256:…",
  group: "hygiene",
  blocksAt: "baseline",
  example: {
    file: ".mcp.json",
    bad: '{ "mcpServers": { "files": { "command": "npx", "args": ["-y", "@acme/mcp-files"] } } }',
    good: '{ "mcpServers": { "files": { "command": "npx", "args": ["-y", "@acme/mcp-files@1.4.2"] } } }',
  },
};

interface Seen extends Launch {
  where: SourceRange;
  path: string;
}

/** Every launch in an MCP configuration: `mcpServers`, `servers`, at the top or one level down. */
function configLaunches(file: TextFile, root: JsonNode): Seen[] {
  const tops = root.type === "object" ? [root, ...root.entries.map((entry) => entry.value)] : [];
  const lists = tops.flatMap((top) =>
    top.type === "object" ? top.entries.filter(({ key }) => /^(?:mcp_?|context_)?servers$/i.test(key)) : [],
  );
  return lists
    .flatMap(({ value }) => (value.type === "object" ? value.entries : []))
    .flatMap(({ value: server }) => {
      const command = member(server, "command");
      const args = member(server, "args");
      if (command?.type !== "string") return [];
      const nodes = [command, ...(args?.type === "array" ? args.items : [])];
      const words = nodes.flatMap((node) =>
        (stringOf(node) ?? "").split(/\s+/).map((text) => ({ text, node })),
      );
      const launch = launchOf(words.map(({ text }) => text));
      if (!launch) return [];
      const { start, end } = words[launch.at]!.node;
      return [{ ...launch, where: placeIn(file, start, end - start), path: file.path }];
    });
}

/** Launches of MCP servers in scripts, and in programs that start one as a child. */
function scriptLaunches(file: TextFile): Seen[] {
  const { shell, code } = snippetsOf(file);
  const fromShell = shell.flatMap(({ commands, at }) =>
    commands.flatMap((command) => {
      const run = programOf(command);
      const launch = run && launchOf([run.name, ...run.args.map((word) => word.text)]);
      if (!launch || !/mcp|modelcontextprotocol/i.test(launch.target)) return [];
      const word = run.args[launch.at - 1] ?? command.words[0]!;
      return [{ ...launch, where: at(word.offset, word.length), path: file.path }];
    }),
  );
  const fromCode = code.flatMap((snippet) =>
    codeLaunches(snippet).map((launch) => ({ ...launch, where: launch.where, path: file.path })),
  );
  return [...fromShell, ...fromCode];
}

function run(facts: FolderFacts) {
  const unjudged: string[] = [];
  const { manifest, source } = facts.manifest;
  const seen: Seen[] = [];
  const start = launchOf(manifest.start.command);
  if (start) seen.push({ ...start, where: source.locate(["start", "command", start.at]), path: source.file });
  for (const file of facts.texts) {
    const kind = textKind(file.path);
    if (kind === "mcp" || kind === "json") {
      const root = parseJsonSource(file.text);
      if (root) seen.push(...configLaunches(file, root));
      else if (kind === "mcp") unjudged.push(`${quote(file.path)}: not JSON that can be read`);
    } else if (kind !== undefined && RUNNABLE.includes(kind)) seen.push(...scriptLaunches(file));
  }
  const findings = seen.flatMap(({ tool, target, mutable, pinned, where, path }): Finding[] =>
    mutable === undefined
      ? []
      : [
          {
            code: rule.code,
            message: `\`${tool}\` launches '${quote(target)}' without an exact version`,
            path,
            where,
            label: quote(mutable),
            expected: quote(pinned),
            found: quote(target),
            why: rule.why,
            fix: `write ${quote(pinned)} with the version that was reviewed, then: waybill tool snapshot`,
          },
        ],
  );
  const coverage =
    seen.length === 0
      ? "no launch of a fetched tool server"
      : `${seen.length - findings.length} of ${count(seen.length, "launch")} exact`.replace(
          "launchs",
          "launches",
        );
  const unread = unreadOf(facts, ["mcp", "shell", "package-json", "dockerfile", "makefile", "workflow"]);
  return conclude(rule, { findings, unjudged, coverage }, unread);
}

/** WB-TOOL-010. */
export const mutableLaunch: Check = { rule, run };
