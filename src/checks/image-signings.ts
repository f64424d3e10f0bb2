import { basename, programOf, type ShellCommand, type ShellWord } from "../formats/shell.ts";

/** A command that signs, attests or verifies images. */
export interface ImageSigning {
  verb: "sign" | "attest" | "verify";
  /** What it names; empty where nothing is named, as behind `xargs`. */
  operands: ShellWord[];
}

/** How an operand names its image. `computed`: nobody can tell before it runs; `other`: no image in a registry. */
export type Naming = "digest" | "tag" | "latest" | "computed" | "other";

const VERBS: Record<string, ImageSigning["verb"]> = {
  sign: "sign",
  attest: "attest",
  verify: "verify",
  "verify-attestation": "verify",
};
/** Options without a value, of cosign 2 and 3 and of waybill; others take the next word when they hold no `=`. */
const SWITCHES = new Set(
  `allow-certificate-chain allow-http-registry allow-insecure-registry check-claims experimental-oci11
  insecure-ignore-sct insecure-ignore-tlog insecure-skip-verify issue-certificate k8s-keychain local-image
  new-bundle-format no-upload offline oidc-disable-ambient-providers private-infrastructure
  record-creation-timestamp recursive replace sk tlog-upload upload use-signed-timestamps use-signing-config
  verbose yes help keyless require-log force`.split(/\s+/),
);

/** Reads a command as `cosign sign|attest|verify…` or `waybill sign|attest|verify`; undefined for others. */
export function signingOf(command: ShellCommand): ImageSigning | undefined {
  const run = programOf(command);
  if (!run) return undefined;
  let { name, args } = run;
  // `npx waybill sign`, and `xargs -I {} cosign sign {}`, whose placeholder is taken for the program.
  if (/^(?:npx|bunx)$/.test(name) || basename(command.words[0]?.text ?? "") === "xargs") {
    const at = args.findIndex(({ text }) => /^(?:cosign|waybill)$/.test(basename(text)));
    if (at !== -1) [name, args] = [basename(args[at]!.text), args.slice(at + 1)];
  }
  const cosign = /^cosign(?:-[\w.-]{1,50})?$|^\$\{?COSIGN\}?$/.test(name);
  if (!cosign && name !== "waybill") return undefined;
  const [first, ...operands] = plainWords(args);
  const verb = Object.hasOwn(VERBS, first?.text ?? "") ? VERBS[first!.text] : undefined;
  // A local image is a folder.
  if (!verb || args.some(({ text }) => /^--(?:local-image|help)(?:=true)?$/.test(text))) return undefined;
  if (cosign) return { verb, operands };
  // Waybill's operands may be files, or none: then it signs the release.
  const images = operands.filter(({ text }) => !/^(?:oci:|[./~])|\.json$/.test(text));
  const named = images.filter(({ text }) => isNamed(skeletonOf(text)));
  return named.length === 0 ? undefined : { verb, operands: named };
}

/** With a tag, a digest, or a host. */
function isNamed(shape: string): boolean {
  const slash = shape.indexOf("/");
  return /[:@]/.test(shape) || shape.slice(0, Math.max(0, slash)).includes(".");
}

function plainWords(args: readonly ShellWord[]): ShellWord[] {
  const plain: ShellWord[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at]!;
    if (word.text === "--") return [...plain, ...args.slice(at + 1)];
    if (!word.text.startsWith("-") || word.text === "-") plain.push(word);
    else if (!word.text.includes("=") && !isSwitch(word.text)) at += 1;
  }
  return plain;
}

function isSwitch(option: string): boolean {
  return option.startsWith("--") ? SWITCHES.has(option.slice(2)) : /^-[dhry]{1,4}$/.test(option);
}

/** How a word names an image: what is computed stands for something without `:`, `@` and `/`. */
export function namingOf(text: string): Naming {
  const shape = skeletonOf(text);
  const at = shape.indexOf("@");
  if (at !== -1)
    return /^@(?:sha256:[0-9a-f]{64}$|sha256:\$|\$)/.test(shape.slice(at)) ? "digest" : "computed";
  if (/^[./~]|:\/\//.test(shape)) return "other";
  if (tagAt(shape) !== -1) return "tag";
  if (shape.includes("$")) return "computed";
  return /^[a-z0-9][a-z0-9._/-]{0,500}$/i.test(shape) ? "latest" : "other";
}

/** An operand without its tag, as it is written. */
export function withoutItsTag(text: string): string {
  const colon = tagAt(skeletonOf(text));
  return colon === -1 ? text : text.slice(0, colon);
}

function tagAt(shape: string): number {
  const colon = shape.lastIndexOf(":");
  return colon > 0 && colon > shape.lastIndexOf("/") ? colon : -1;
}

/** The word with every computed part as `$` signs, in its length: `$NAME`, `${…}`, `$(…)`, `${{ … }}`, `{}`. */
export function skeletonOf(text: string): string {
  let shape = "";
  while (shape.length < text.length) {
    const at = shape.length;
    const end = computedEnd(text, at);
    shape += end > at ? "$".repeat(end - at) : text[at];
  }
  return shape;
}

function computedEnd(text: string, at: number): number {
  if (text.startsWith("{}", at)) return at + 2;
  if (text[at] === "`") {
    const close = text.indexOf("`", at + 1);
    return close === -1 ? text.length : close + 1;
  }
  if (text[at] !== "$") return at;
  const open = text[at + 1];
  if (open !== "{" && open !== "(")
    return at + (/^\$(?:\w{1,100}|[@*?#!$-])?/.exec(text.slice(at, at + 110))?.[0].length ?? 1);
  const close = open === "{" ? "}" : ")";
  let level = 0;
  for (let i = at + 1; i < text.length; i += 1) {
    if (text[i] === open) level += 1;
    else if (text[i] === close) level -= 1;
    if (level === 0) return i + 1;
  }
  return text.length;
}
