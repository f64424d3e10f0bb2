import type { WaybillError } from "../../core/errors.ts";
import type { Paint } from "../io.ts";
import { shown } from "./shown.ts";

/** A job that could not be done: its code, what happened, a line each where it is several things, and the hint. */
export function renderError({ code, message, hint }: WaybillError, paint: Paint): string {
  const [first, ...rest] = message.split("\n").map(shown);
  const lines = [`${paint("red", `error[${code}]`)}: ${first}`, ...rest.map((line) => `  ${line}`)];
  return `${[...lines, ` ${paint("dim", "fix")}  ${shown(hint)}`].join("\n")}\n`;
}
