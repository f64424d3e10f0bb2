import { type Hex, isHex } from "../../core/digest.ts";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";

/** An image reference (distribution/reference grammar), with Docker Hub's defaults filled in. */
export interface ImageReference {
  /** Host and port as people write them, such as `docker.io`. */
  registry: string;
  /** Without the registry, such as `library/alpine`. */
  repository: string;
  tag?: string;
  /** Hex of the SHA-256 after `@sha256:`. */
  digest?: Hex;
}

const HOST =
  /^(?:(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])(?:\.(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]))*|\[[0-9A-Fa-f:]{2,45}\])(?::[0-9]{1,5})?$/;
const PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * Reads `[host[:port]/]repository[:tag][@sha256:hex]`. A first part without a dot, port or `localhost` is a
 * repository on Docker Hub; a reference without tag and digest means `latest`.
 *
 * @throws WaybillError WB-INPUT-019, with the rule that it breaks
 */
export function parseReference(text: string): ImageReference {
  // People paste addresses with passwords in them.
  const shown = safeText(text.slice(0, 300).replace(/^((?:[a-z]+:\/\/)?)[^/@]*@(?!sha\d+:)/i, "$1…@"));
  const wrong = (
    why: string,
    hint = "for example: registry.example/team/agent:1.2 or …@sha256:<64 hex digits>",
  ) => new WaybillError("WB-INPUT-019", `${shown || "an empty text"}: ${why}`, { hint });
  if (text.length > 1024) throw wrong("longer than 1024 characters");
  if (/^[a-z]+:\/\//i.test(text)) throw wrong("an address, not a reference", "leave the scheme out");
  const at = text.indexOf("@");
  const digest = at === -1 ? undefined : readDigest(text.slice(at + 1), wrong);
  const named = at === -1 ? text : text.slice(0, at);
  const slash = named.indexOf("/");
  const first = slash === -1 ? "" : named.slice(0, slash);
  const hasHost = /[.:]/.test(first) || first === "localhost";
  const host = hasHost ? first : "docker.io";
  if (!HOST.test(host)) throw wrong("its first part is not a host name");
  const port = /:(\d+)$/.exec(host)?.[1];
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) throw wrong("its port is none");
  // `127.1` and `0x7f.1` are this machine to whoever resolves them, and `1.2.3.999` is nothing.
  const plain = URL.canParse(`https://${host}/`) ? new URL(`https://${host}/`).hostname : "";
  if (plain !== host.toLowerCase().replace(/:\d+$/, ""))
    throw wrong("its host is not written plainly", "write a name, or an IP address in its usual form");
  const rest = hasHost ? named.slice(slash + 1) : named;
  const colon = rest.indexOf(":");
  const path = colon === -1 ? rest : rest.slice(0, colon);
  const tag = colon === -1 ? undefined : rest.slice(colon + 1);
  const registry = host === "index.docker.io" ? "docker.io" : host.toLowerCase();
  const repository = registry === "docker.io" && !path.includes("/") ? `library/${path}` : path;
  if (repository.length > 255) throw wrong("its repository is longer than 255 characters");
  for (const part of path.split("/"))
    if (!PART.test(part))
      throw wrong(
        part === "" ? "it names no repository" : `'${safeText(part)}' is not part of a repository's name`,
        "lower-case letters and digits, with single '.', '_', '__' or '-' between them",
      );
  if (tag !== undefined && !TAG.test(tag))
    throw wrong("its tag is none", "a tag has letters, digits, '_', '.', '-'; at most 128");
  if (tag === undefined && digest === undefined) return { registry, repository, tag: "latest" };
  return {
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The reference as text; with `digest`, that one and no tag. */
export function formatReference(reference: ImageReference, digest?: Hex): string {
  const { registry, repository, tag } = reference;
  const name = `${registry}/${repository}`;
  if (digest !== undefined) return `${name}@sha256:${digest}`;
  return `${name}${tag === undefined ? "" : `:${tag}`}${reference.digest ? `@sha256:${reference.digest}` : ""}`;
}

function readDigest(text: string, wrong: (why: string, hint?: string) => WaybillError): Hex {
  if (text.startsWith("sha512:"))
    throw wrong("sha512 digests are not read", "name the image by its sha256 digest");
  if (!text.startsWith("sha256:")) throw wrong("what follows '@' is not a sha256 digest");
  const hex = text.slice(7);
  if (!isHex(hex)) throw wrong("its digest has not 64 lower-case hex digits");
  return hex;
}
