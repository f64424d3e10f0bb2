import type { Json } from "../core/canonical-json.ts";
import { safeText } from "../core/safe-text.ts";
import { parseStrictJson } from "../core/strict-json.ts";

/** Characters of a server's own words that are shown. */
const MAX_SHOWN = 200;

/**
 * What a server says of its refusal, short and safe for a terminal: the codes and messages of a registry's error
 * document (OCI distribution-spec v1.1, "Error Codes"), else the first line of a text, else nothing.
 */
export function errorText(body: Uint8Array, contentType: string): string {
  const text = Buffer.from(body).toString("utf8");
  if (/^(?:text\/html|application\/xhtml)/i.test(contentType) || /^\s*<(?:!doctype|html)/i.test(text))
    return "a web page";
  const words = registryErrors(text) ?? text.trim().split("\n")[0] ?? "";
  const safe = safeText(words.trim());
  return safe.length > MAX_SHOWN ? `${safe.slice(0, MAX_SHOWN).toWellFormed()}…` : safe;
}

function registryErrors(text: string): string | undefined {
  let data: Json;
  try {
    data = parseStrictJson(text, { maxBytes: 65_536, maxDepth: 16 });
  } catch {
    return undefined;
  }
  const list = field(data, "errors");
  if (!Array.isArray(list)) {
    const single = field(data, "message") ?? field(data, "error") ?? field(data, "details");
    return typeof single === "string" ? single : undefined;
  }
  const parts = list.slice(0, 3).map((entry) => {
    const [code, message] = [field(entry, "code"), field(entry, "message")];
    return [code, message].filter((part) => typeof part === "string" && part !== "").join(": ");
  });
  return parts.filter((part) => part !== "").join("; ");
}

function field(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? value[name] : undefined;
}
