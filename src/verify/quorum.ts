import type { Established } from "../sign/established.ts";
import type { Trust } from "./trust.ts";

/** True when one log entry of a signature was cosigned by the quorum that trust names, or trust names none. */
export function hasQuorum({ witnesses }: Trust, { logged }: Established): boolean {
  if (!witnesses) return true;
  return logged.some((entry) => new Set(entry.witnesses).size >= witnesses.threshold);
}
