import type { Finding, Rule } from "../core/finding.ts";
import type { Check, FolderFacts } from "./check.ts";
import { conclude, count } from "./places.ts";

const rule: Rule = {
  code: "WB-RUN-010",
  title: "the environment that loads code is not inherited",
  why: "LD_PRELOAD, NODE_OPTIONS, PYTHONPATH and their kind make a process load code that is in no component. Inherited, their value comes from whoever starts the agent: every byte of the release verifies and other code runs all the same.",
  fix: "write the value out in `start.env`, or take the variable away, then: waybill lock",
  group: "hygiene",
  blocksAt: "baseline",
  example: {
    file: "waybill.yaml",
    bad: "start:\n  command: [node, agent.js]\n  env:\n    NODE_OPTIONS: {inherit: true}",
    good: "start:\n  command: [node, agent.js]\n  env:\n    NODE_OPTIONS: --max-old-space-size=512",
  },
};

/** Variables by which a loader, an interpreter or a shell takes in code, by what reads them. */
const LOADERS: Record<string, string> = {
  ...named(
    "the dynamic linker",
    "LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES DYLD_LIBRARY_PATH",
  ),
  ...named("the dynamic linker", "DYLD_FRAMEWORK_PATH GCONV_PATH OPENSSL_CONF OPENSSL_MODULES"),
  ...named("Node.js", "NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS"),
  ...named("Python", "PYTHONPATH PYTHONSTARTUP PYTHONHOME PYTHONINSPECT PYTHONBREAKPOINT PYTHONUSERBASE"),
  ...named("the shell", "BASH_ENV ENV SHELLOPTS BASHOPTS PROMPT_COMMAND IFS ZDOTDIR"),
  ...named("Perl", "PERL5LIB PERL5OPT PERLLIB"),
  ...named("Ruby", "RUBYOPT RUBYLIB"),
  ...named("the Java machine", "JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS CLASSPATH"),
  ...named(".NET", "DOTNET_STARTUP_HOOKS CORECLR_PROFILER_PATH DOTNET_ADDITIONAL_DEPS"),
  ...named("Git", "GIT_SSH_COMMAND GIT_EXTERNAL_DIFF GIT_CONFIG_GLOBAL"),
};

function named(reader: string, names: string): Record<string, string> {
  return Object.fromEntries(names.split(" ").map((name) => [name, reader]));
}

function run(facts: FolderFacts) {
  const { manifest, source } = facts.manifest;
  const declared = Object.entries(manifest.start.env);
  const findings = declared.flatMap(([name, value]): Finding[] => {
    const reader = Object.hasOwn(LOADERS, name) ? LOADERS[name] : undefined;
    const bashFunction = name.startsWith("BASH_FUNC_");
    if (typeof value === "string" || !("inherit" in value) || (!reader && !bashFunction)) return [];
    return [
      {
        code: rule.code,
        message: `'${name}' is inherited, and ${reader ?? "the shell"} loads code by it`,
        path: source.file,
        where: source.locate(["start", "env", name]),
        label: "its value is not pinned",
        expected: "a literal value, or nothing",
        found: "{inherit: true}",
        why: rule.why,
        fix: rule.fix,
      },
    ];
  });
  const inherited = declared.filter(([, value]) => typeof value !== "string" && "inherit" in value).length;
  const coverage =
    declared.length === 0
      ? "no environment declared"
      : `${count(declared.length, "variable")}, ${inherited} inherited, ${findings.length} of them load code`;
  return conclude(rule, { findings, unjudged: [], coverage });
}

/** WB-RUN-010. */
export const inheritedLoader: Check = { rule, run };
