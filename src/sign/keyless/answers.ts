import type { Json } from "../../core/canonical-json.ts";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import { JsonSyntaxError, parseStrictJson } from "../../core/strict-json.ts";
import { assertType } from "../../net/answer.ts";
import type { HttpAnswer } from "../../net/http.ts";
import { shownUrl } from "../../net/safe-url.ts";
import { ShapeError } from "../json-shape.ts";

/** Largest answer of a Sigstore service that is read, in bytes. */
export const MAX_ANSWER_BYTES = 1 << 20;

/** An address below a service's base URL, which may itself have a path. */
export function below(base: URL, path: string): URL {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}${path}`;
  return url;
}

/**
 * Reads a JSON answer into what its protocol says.
 *
 * @param read throws ShapeError for what it does not accept
 * @throws WaybillError WB-NET-002
 */
export function readAnswer<T>(answer: HttpAnswer, read: (data: Json) => T): T {
  assertType(answer, /^application\/(?:.+\+)?json$/);
  try {
    return read(parseStrictJson(answer.body.toString("utf8"), { maxBytes: MAX_ANSWER_BYTES, maxDepth: 32 }));
  } catch (cause) {
    if (!(cause instanceof ShapeError) && !(cause instanceof JsonSyntaxError)) throw cause;
    throw strange(answer, cause.message, cause);
  }
}

/** The error for an answer that is not what its protocol says. */
export function strange(answer: HttpAnswer, why: string, cause?: unknown): WaybillError {
  return new WaybillError("WB-NET-002", `${shownUrl(answer.url)} answered strangely: ${safeText(why)}`, {
    hint: "is this the right address, and a version of the service that Waybill speaks with?",
    cause,
  });
}
