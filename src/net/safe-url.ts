import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import { isLoopback } from "./loopback.ts";

/**
 * Refuses a URL over which anybody on the way could read or change what is sent: everything but https, and http
 * to this machine or to a host (`name` or `name:port`) that the operator named.
 *
 * @throws WaybillError WB-NET-006
 */
export function assertSafeUrl(url: URL, plainHttp: ReadonlySet<string>): void {
  if (url.username !== "" || url.password !== "")
    throw unsafe(`${shownUrl(url)} holds a password`, "put credentials into the registry's credential file");
  if (url.protocol === "https:") return;
  const plain = isLoopback(url.hostname) || plainHttp.has(url.host) || plainHttp.has(url.hostname);
  if (url.protocol === "http:" && plain) return;
  throw unsafe(
    `${shownUrl(url)} is not https: anybody on the way could read and change what is sent`,
    url.protocol === "http:"
      ? `use https, or name the host on purpose: --plain-http ${safeText(url.host)}`
      : "use an https address",
  );
}

/** An address as people may see it: without credentials and query, which can hold secrets; at most 200 characters. */
export function shownUrl(url: URL): string {
  const text = safeText(`${url.protocol}//${url.host}${url.pathname}`);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function unsafe(message: string, hint: string): WaybillError {
  return new WaybillError("WB-NET-006", message, { hint });
}
