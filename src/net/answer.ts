import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import { errorText } from "./answer-text.ts";
import type { HttpAnswer } from "./http.ts";
import { shownUrl } from "./safe-url.ts";

/**
 * Refuses an answer that does not have one of these media types: a login page instead of data.
 *
 * @throws WaybillError WB-NET-002
 */
export function assertType(answer: HttpAnswer, accepted: RegExp): void {
  const type = mediaType(answer.headers);
  if (accepted.test(type)) return;
  throw new WaybillError(
    "WB-NET-002",
    `${shownUrl(answer.url)} answered with ${safeText(type.slice(0, 100)) || "no media type"}`,
    { hint: "is this the right address? a proxy or a login page may stand in between" },
  );
}

/** The error for an answer that is none of those that the protocol has for a request. */
export function refusedBy(answer: HttpAnswer, doing: string): WaybillError {
  const said = errorText(answer.body, mediaType(answer.headers));
  const words = `${shownUrl(answer.url)}: ${answer.status}${said === "" ? "" : ` (${said})`} while ${doing}`;
  if (answer.status === 401 || answer.status === 403)
    return new WaybillError("WB-NET-003", words, {
      hint: "log in with `docker login` or `podman login`, or ask for the right to do it",
    });
  if (answer.status === 429 || answer.status >= 500)
    return new WaybillError("WB-NET-001", words, { hint: "the server is busy or broken; try again later" });
  return new WaybillError("WB-NET-002", words, { hint: "is this the right address?" });
}

/** The media type of an answer without its parameters, in lower case. */
export function mediaType(headers: Headers): string {
  return (headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
}
