/** Exit codes are part of the interface, the same in every format. */
export const EXIT = {
  allowed: 0,
  denied: 1,
  usage: 2,
  cannotTell: 3,
  jobFailed: 4,
  bug: 70,
  /** `waybill run` refused to start the command. */
  refused: 125,
  interrupted: 130,
} as const;

/** The exit code of a verdict. */
export function exitCodeOf(outcome: "allow" | "deny" | "cannot-tell"): number {
  return { allow: EXIT.allowed, deny: EXIT.denied, "cannot-tell": EXIT.cannotTell }[outcome];
}
