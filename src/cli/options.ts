import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";

/** A target's name, which becomes part of file names; throws WB-INPUT-007 for one that is not fit. */
export function targetName(value: string | boolean | undefined): string {
  return name("target", value);
}

/** A principal's name, as trust policies accept it; throws WB-INPUT-007 for another. */
export function principalName(value: string | boolean | undefined): string {
  return name("principal", value);
}

function name(option: string, value: string | boolean | undefined): string {
  if (typeof value === "string" && /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/.test(value)) return value;
  throw new WaybillError(
    "WB-INPUT-007",
    `--${option} ${safeText(String(value))}: not the name of a ${option}`,
    {
      hint: "lower-case letters, digits, '.', '_', '-'; at most 64",
    },
  );
}

/** A whole number within bounds; throws WB-INPUT-007 for anything else. */
export function wholeNumber(
  name: string,
  value: string | boolean | undefined,
  least: number,
  most: number,
): number {
  const number = typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new WaybillError(
    "WB-INPUT-007",
    `--${name} ${safeText(String(value))}: not a number from ${least} to ${most}`,
    {
      hint: `give --${name} a whole number in these bounds`,
    },
  );
}
