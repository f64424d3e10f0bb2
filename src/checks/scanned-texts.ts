/** What a text is to the checks, by its path. */
export type TextKind =
  | "shell"
  | "dockerfile"
  | "makefile"
  | "workflow"
  | "yaml"
  | "python"
  | "notebook"
  | "javascript"
  | "package-json"
  | "mcp"
  | "json"
  | "requirements"
  | "lockfile"
  | "checksums"
  | "manifest-of-dependencies"
  | "extensionless";

const LOCKFILES = new Set([
  "package-lock.json",
  "npm-shrinkwrap.json",
  "pnpm-lock.yaml",
  "yarn.lock",
  "bun.lock",
  "uv.lock",
  "poetry.lock",
  "pdm.lock",
  "pylock.toml",
  "Pipfile.lock",
  "go.sum",
  "Cargo.lock",
  "Gemfile.lock",
]);
const EXTENSIONS: Record<string, TextKind> = {
  sh: "shell",
  bash: "shell",
  zsh: "shell",
  ksh: "shell",
  envrc: "shell",
  dockerfile: "dockerfile",
  containerfile: "dockerfile",
  mk: "makefile",
  yml: "yaml",
  yaml: "yaml",
  py: "python",
  pyw: "python",
  ipynb: "notebook",
  js: "javascript",
  mjs: "javascript",
  cjs: "javascript",
  jsx: "javascript",
  ts: "javascript",
  mts: "javascript",
  cts: "javascript",
  tsx: "javascript",
  json: "json",
  jsonc: "json",
  sha256: "checksums",
  sha256sum: "checksums",
  sha256sums: "checksums",
};

/**
 * Says what a path is to the checks, or undefined where no check reads it. Prose (.md, .txt that names no
 * requirements or checksums), installed packages and Waybill's own files are not read.
 */
export function textKind(path: string): TextKind | undefined {
  const segments = path.split("/");
  if (segments.some((s) => s === "node_modules" || s === ".git" || s === ".waybill" || s === ".venv"))
    return undefined;
  const name = segments.at(-1)!;
  const lower = name.toLowerCase();
  if (/^waybill\.(?:yaml|lock|trust\.yaml)$/.test(name)) return undefined;
  if (LOCKFILES.has(name)) return "lockfile";
  if (name === "package.json") return "package-json";
  if (/^(?:pyproject\.toml|Pipfile|setup\.cfg|environment\.ya?ml)$/.test(name))
    return "manifest-of-dependencies";
  if (/^(?:[\w.-]{0,80})?(?:requirements|constraints)[\w.-]{0,80}\.(?:txt|in)$/.test(lower))
    return "requirements";
  if (lower.endsWith(".txt") && segments.at(-2)?.toLowerCase() === "requirements") return "requirements";
  if (/^(?:.{0,80}[._-])?(?:sha256|sha512|checksums?|sha256sums?|sha512sums?)(?:\.txt)?$/.test(lower))
    return "checksums";
  if (/^(?:dockerfile|containerfile)(?:[.-].{0,80})?$/.test(lower)) return "dockerfile";
  if (/^(?:gnu)?makefile$|^justfile$/.test(lower)) return "makefile";
  if (/^\.?mcp\.jsonc?$|^\.?mcp[._-].{0,80}\.json$|^claude_desktop_config\.json$/.test(lower)) return "mcp";
  const extension = lower.includes(".") ? lower.slice(lower.lastIndexOf(".") + 1) : undefined;
  if (extension === undefined) return "extensionless";
  const kind = Object.hasOwn(EXTENSIONS, extension) ? EXTENSIONS[extension] : undefined;
  if (
    kind === "yaml" &&
    (/(?:^|\/)\.(?:github|gitea|forgejo)\/workflows\/[^/]{1,255}$/.test(path) ||
      /^action\.ya?ml$/.test(lower))
  )
    return "workflow";
  return kind;
}

/** True for the paths that flows collects as texts for the checks. */
export function isScannedText(path: string): boolean {
  return textKind(path) !== undefined;
}

/** True for a lockfile that records what an installer chose. */
export function isLockfile(path: string): boolean {
  return textKind(path) === "lockfile";
}

/** Texts that could not be read and that a check would have looked at. Extensionless files are most often binaries. */
export function unreadOf(
  facts: { unreadTexts: readonly { path: string; reason: string }[] },
  kinds: readonly TextKind[],
): { path: string; reason: string }[] {
  return facts.unreadTexts.filter(({ path }) => {
    const kind = textKind(path);
    return kind !== undefined && kind !== "extensionless" && kinds.includes(kind);
  });
}
