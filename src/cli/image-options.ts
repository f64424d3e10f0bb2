import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import type { RegistryAccess } from "../flows/open-image.ts";
import type { Arguments } from "./command.ts";
import type { Io } from "./io.ts";

/** How registries are to be reached, out of the options and the environment. */
export function registryAccess({ options }: Pick<Arguments, "options">, io: Io): RegistryAccess {
  const words = (name: string) => (typeof options[name] === "string" ? String(options[name]).split(",") : []);
  return { env: io.env, signal: io.signal, plainHttp: words("plain-http"), mirrors: words("mirror") };
}

/**
 * True for what can only be meant as an image: `oci:…`, with a tag or a digest, or on a host. A path that is
 * mistyped must not be asked for on the internet.
 */
export function looksLikeImage(text: string): boolean {
  if (text.startsWith("oci:") || text.includes("@sha256:")) return true;
  if (/^[./~]|\.json$|^[a-z]+:\/\//.test(text)) return false;
  const [host = "", ...path] = text.split("/");
  return /:[\w.-]+$/.test(text) || (path.length > 0 && (/[.:]/.test(host) || host === "localhost"));
}

/**
 * The operand of a command that asks a registry for it.
 *
 * @throws WaybillError WB-INPUT-019 for a bare word: a folder or a name that is mistyped, not one of Docker Hub's
 */
export function imageOperand(text: string): string {
  if (looksLikeImage(text)) return text;
  throw new WaybillError("WB-INPUT-019", `${safeText(text)} names no image: it has no registry and no tag`, {
    hint: "for example: registry.example/team/agent:1.2, or oci:FOLDER:1.2 for a layout on disk",
  });
}

/** Where a signature is stored: `v2` in cosign 2's tags, `v3` as a referrer. */
export function layoutsOf(value: string | boolean | undefined, keyless: boolean): ("tag" | "referrer")[] {
  if (value === "v2") return ["tag"];
  if (value === "v3") return ["referrer"];
  if (value !== undefined && value !== "both")
    throw new WaybillError("WB-INPUT-007", "--layout is v2, v3 or both", { hint: "leave it out for both" });
  // A keyless signature cannot be told in tags: they have no place for a Rekor v2 entry.
  return keyless && value === undefined ? ["referrer"] : ["tag", "referrer"];
}

/** A platform as `os/arch` or `os/arch/variant`; throws WB-INPUT-007 for another text. */
export function platformOf(value: string | boolean | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (
    typeof value === "string" &&
    /^[a-z0-9_.-]{1,32}\/[a-z0-9_.-]{1,32}(?:\/[a-z0-9_.-]{1,32})?$/.test(value)
  )
    return value;
  throw new WaybillError("WB-INPUT-007", "--platform is os/arch or os/arch/variant", {
    hint: "for example: --platform linux/arm64",
  });
}
