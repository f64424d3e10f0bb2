/** One requirement of a pip requirements file. */
export interface Requirement {
  /** Name, version and URL as written, without options and marker. */
  text: string;
  name: string;
  /** `==1.2.3`, `>=1`, "" … */
  specifier: string;
  /** Behind `@`, or a bare URL or path. */
  url: string | undefined;
  /** `--hash=sha256:…` options. */
  hashes: number;
  offset: number;
  length: number;
}

/**
 * Reads a pip requirements file: continuations, comments and options are understood; options that name other
 * files are left out, since those are texts of their own. Linear in the text.
 */
export function requirementsOf(text: string): Requirement[] {
  const found: Requirement[] = [];
  let start = 0;
  let pending = "";
  let pendingStart = 0;
  for (const raw of text.split("\n")) {
    const line = raw.replace(/\r$/, "");
    if (pending === "") pendingStart = start;
    start += raw.length + 1;
    const comment = line.trimStart().startsWith("#");
    if (!comment && line.endsWith("\\") && pending.length < 65_536) {
      pending += `${line.slice(0, -1)} `;
      continue;
    }
    const logical = comment ? pending : pending + line;
    pending = "";
    const requirement = read(logical, pendingStart);
    if (requirement) found.push(requirement);
  }
  const last = read(pending, pendingStart);
  if (last) found.push(last);
  return found;
}

const EDITABLE = /^(?:-e|--editable)[ =]\s{0,20}/;

function read(logical: string, start: number): Requirement | undefined {
  const offset = start + (logical.length - logical.trimStart().length);
  const hash = / #/.exec(logical);
  let line = (hash ? logical.slice(0, hash.index) : logical).trim();
  if (line === "" || line.startsWith("#")) return undefined;
  const editable = EDITABLE.exec(line);
  if (editable) line = line.slice(editable[0].length);
  if (line.startsWith("-")) return undefined;
  const options = line.indexOf(" --");
  const tail = options === -1 ? "" : line.slice(options);
  const hashes = tail
    .split("--hash")
    .filter((part) => /^[= ]\s{0,9}sha(?:256|384|512):[0-9a-f]{64,128}(?:\s|$)/.test(part));
  const bare = options === -1 ? line : line.slice(0, options);
  const marker = bare.indexOf(";");
  const text = (marker === -1 ? bare : bare.slice(0, marker)).trim();
  const named = /^([A-Za-z0-9][A-Za-z0-9._-]{0,200})\s{0,20}(?:\[[^\]]{0,500}\])?\s{0,20}(.*)$/.exec(text);
  const rest = named?.[2] ?? "";
  const direct =
    /^(?:[a-z+]{2,20}:\/\/|file:|git@|\.{0,2}\/|\.$)/.test(text) || (named !== null && /^[:/]/.test(rest));
  const url = direct ? text : rest.startsWith("@") ? rest.slice(1).trim() : undefined;
  return {
    text,
    name: direct ? text : (named?.[1] ?? text),
    specifier: url === undefined ? rest.replace(/^\(|\)$/g, "").replaceAll(" ", "") : "",
    url,
    hashes: hashes.length,
    offset,
    length: Math.min(text.length + (editable?.[0].length ?? 0), 200),
  };
}
