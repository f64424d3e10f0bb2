import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import { HttpClient } from "../net/http.ts";
import { formatReference, type ImageReference, parseReference } from "../net/oci/reference.ts";
import { RegistryRepository } from "../net/oci/registry.ts";
import { assertSafeUrl, shownUrl } from "../net/safe-url.ts";
import type { ImageStore, StoredManifest } from "../store/image-store.ts";
import { LayoutImages } from "../store/layout-images.ts";
import { RegistryImages } from "../store/registry-images.ts";
import { findRegistryCredentials } from "./registry-credentials.ts";

/** How registries are reached. */
export interface RegistryAccess {
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal;
  /** Hosts to which plain http is accepted, beside this machine. */
  plainHttp?: readonly string[];
  /** `HOST=URL`: servers that are asked first for what a digest names. */
  mirrors?: readonly string[];
}

/** A store with what was named in it. */
export interface OpenedImage {
  store: ImageStore;
  /** `sha256:…`, a tag, or empty for the only image of a layout. */
  reference: string;
  /** Tag, where one was given. */
  tag?: string;
  /** Registry and repository, as signatures name them; for a layout `oci:PATH`. */
  repository: string;
  /** As it was meant, for people. */
  shown: string;
}

/**
 * Opens what a person names: `oci:PATH[:TAG][@sha256:…]`, else an image reference of a registry. Nothing is asked
 * of any server yet.
 *
 * @param options `create`: make the layout where there is none
 * @throws WaybillError WB-INPUT-019 not understood, WB-INPUT-007 a mirror that is none, as `LayoutImages`
 */
export function openImage(
  text: string,
  access: RegistryAccess,
  options: { create?: boolean } = {},
): OpenedImage {
  if (text.startsWith("oci:")) return openLayout(text.slice(4), options);
  const reference = parseReference(text);
  const http = new HttpClient({
    plainHttp: new Set(access.plainHttp ?? []),
    ...(access.signal ? { signal: access.signal } : {}),
  });
  const { registry, repository, tag, digest } = reference;
  const { env } = access;
  const images = new RegistryRepository({
    http,
    registry,
    repository,
    credentials: () => findRegistryCredentials(registry, repository, env),
    realms: new Set((env.WAYBILL_REGISTRY_REALMS ?? "").split(",").filter((host) => host !== "")),
    mirrors: mirrorsOf(reference, access, http.plainHosts),
  });
  return {
    store: new RegistryImages(images),
    reference: digest === undefined ? tag! : `sha256:${digest}`,
    ...(tag === undefined ? {} : { tag }),
    repository: `${registry}/${repository}`,
    shown: formatReference(reference),
  };
}

/**
 * The manifest that was named. Of a reference with a tag and a digest the digest counts.
 *
 * @throws WaybillError WB-INPUT-001 where there is none, and as the store does
 */
export async function resolveImage(opened: OpenedImage): Promise<StoredManifest> {
  const found = await opened.store.read(opened.reference);
  if (found) return found;
  throw new WaybillError("WB-INPUT-001", `there is no ${safeText(opened.shown)}`, {
    hint: "check the name and the tag; a private registry may hide what you may not see",
  });
}

function openLayout(text: string, options: { create?: boolean }): OpenedImage {
  const match = /^(.+?)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(text);
  const [, path, tag, digest] = match ?? [];
  if (path === undefined)
    throw new WaybillError("WB-INPUT-019", "oci: names no folder", { hint: "for example: oci:build/image" });
  return {
    store: new LayoutImages(path, options),
    reference: digest ?? tag ?? "",
    ...(tag === undefined ? {} : { tag }),
    repository: `oci:${path}`,
    shown: `oci:${text}`,
  };
}

/** `WAYBILL_REGISTRY_MIRRORS` is a comma-separated list of the same form as `--mirror`. */
function mirrorsOf(reference: ImageReference, access: RegistryAccess, plain: ReadonlySet<string>): URL[] {
  const words = [...(access.mirrors ?? []), ...(access.env.WAYBILL_REGISTRY_MIRRORS ?? "").split(",")];
  return words
    .map((word) => word.trim())
    .filter((word) => word !== "")
    .flatMap((word) => {
      const [host, address] = [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)];
      if (!word.includes("=") || host === "" || !/^https?:\/\//i.test(address) || !URL.canParse(address))
        throw new WaybillError("WB-INPUT-007", `${safeText(word.replace(/[^/=]*@/, "…@"))}: not a mirror`, {
          hint: "for example: docker.io=https://mirror.example",
        });
      const url = new URL(address);
      assertSafeUrl(url, plain);
      // Some put a path before /v2, some behind it: one that is left out unseen would ask for something else.
      if (url.pathname !== "/" || url.search !== "" || url.hash !== "")
        throw new WaybillError("WB-INPUT-007", `${shownUrl(url)}: a mirror is a server, without a path`, {
          hint: `for example: ${safeText(host)}=${safeText(url.origin)}`,
        });
      return host === reference.registry ? [url] : [];
    });
}
