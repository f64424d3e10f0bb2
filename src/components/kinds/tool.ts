import { canonicalJson, type Json } from "../../core/canonical-json.ts";
import { compareUtf8, sha256 } from "../../core/digest.ts";
import type { DeclaredComponent } from "../../core/manifest.ts";
import { JsonSyntaxError, parseStrictJson } from "../../core/strict-json.ts";
import { treeDigest } from "../../core/tree.ts";
import { componentName } from "../detect.ts";
import type { ComponentKind, Described, DescribeInput } from "../kind.ts";
import type { ObservedProblem } from "../observed.ts";

export const TOOL_TYPE = "urn:waybill:tool:v1";
export const TOOL_MEDIA_TYPE = "application/vnd.waybill.tool.v1+json";

/** What a tool is to a model: exactly these fields, where present (MCP 2025-06-18, `Tool`). */
const TOOL_FIELDS = ["name", "description", "inputSchema", "outputSchema", "annotations"] as const;

const MAX_SNAPSHOT_BYTES = 4 << 20;

/** An MCP server or a set of tool definitions: what the model is told, and the artifact that answers. */
export const tool: ComponentKind = {
  kind: "tool",
  about: "tool definitions and the MCP servers behind them",
  detect(view) {
    return view.files
      .filter((file) => file.path.endsWith(".json") && file.size <= MAX_SNAPSHOT_BYTES)
      .filter((file) => isSnapshot(view.head(file.path, MAX_SNAPSHOT_BYTES)))
      .map(({ path }) => {
        const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
        const whole = folder !== "" && path.endsWith("/tools.json");
        return {
          declared: {
            kind: "tool" as const,
            name: componentName(whole ? folder : path, "tool"),
            path: whole ? folder : path,
          },
          because: `${path} lists tools with their schemas`,
        };
      });
  },
  describe: describeTool,
};

/** Where a tool component's snapshot stands inside its tree. */
export function snapshotPath(
  declared: DeclaredComponent,
  files: readonly { path: string }[],
): string | undefined {
  if (declared.snapshot !== undefined) {
    const base =
      declared.path === undefined || declared.path === "." ? "" : `${declared.path.replace(/\/$/, "")}/`;
    if (files.some((f) => base + f.path === declared.snapshot)) return declared.snapshot.slice(base.length);
    const name = declared.snapshot.slice(declared.snapshot.lastIndexOf("/") + 1);
    return declared.path === declared.snapshot && files.some((f) => f.path === name) ? name : undefined;
  }
  if (files.length === 1 && files[0]!.path.endsWith(".json")) return files[0]!.path;
  return files.find((f) => f.path === "tools.json")?.path;
}

function describeTool(input: DescribeInput): Described | ObservedProblem {
  const path = snapshotPath(input.declared, input.files);
  if (path === undefined)
    return {
      path: input.declared.snapshot ?? "tools.json",
      problem: "missing",
      detail: "a tool component holds the answer of its server's tools/list: declare it as `snapshot`",
    };
  let snapshot: Json;
  try {
    snapshot = parseStrictJson(input.read(path, MAX_SNAPSHOT_BYTES).toString("utf8"), {
      maxBytes: MAX_SNAPSHOT_BYTES,
    });
  } catch (error) {
    if (error instanceof JsonSyntaxError)
      return {
        path,
        problem: "malformed",
        detail: `line ${error.line}, column ${error.column}: ${error.reason}`,
      };
    throw error;
  }
  const tools = readTools(snapshot);
  if (typeof tools === "string") return { path, problem: "malformed", detail: tools };
  const instructions = (snapshot as { instructions?: Json }).instructions ?? null;
  if (instructions !== null && typeof instructions !== "string")
    return { path, problem: "malformed", detail: "instructions is not text" };
  const document = { type: TOOL_TYPE, instructions, tools, artifact: treeDigest(input.leaves) };
  return { digest: `sha256:${sha256(canonicalJson(document))}`, mediaType: TOOL_MEDIA_TYPE, document };
}

/** The tools of a snapshot as name and digest, by name; or what is wrong with it. */
export function readTools(snapshot: Json): { name: string; digest: string }[] | string {
  if (typeof snapshot !== "object" || snapshot === null || Array.isArray(snapshot))
    return "it is not an object";
  const list = snapshot.tools;
  if (!Array.isArray(list)) return "it has no list `tools`";
  const tools: { name: string; digest: string }[] = [];
  const seen = new Set<string>();
  for (const entry of list) {
    if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return "a tool is not an object";
    const name = entry.name;
    if (typeof name !== "string" || name === "") return "a tool has no name";
    if (seen.has(name)) return `the tool ${name} stands twice`;
    seen.add(name);
    const shown = TOOL_FIELDS.filter((field) => entry[field] !== undefined).map((field) => [
      field,
      entry[field]!,
    ]);
    tools.push({ name, digest: `sha256:${sha256(canonicalJson(Object.fromEntries(shown) as Json))}` });
  }
  return tools.toSorted((a, b) => compareUtf8(a.name, b.name));
}

function isSnapshot(bytes: Buffer): boolean {
  if (!bytes.includes('"tools"') || !bytes.includes('"inputSchema"')) return false;
  try {
    return typeof readTools(parseStrictJson(bytes.toString("utf8"))) !== "string";
  } catch {
    return false;
  }
}
