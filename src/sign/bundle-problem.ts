/** Codes of the rules that a bundle can fail; `verify/bundle-rules.ts` says what each means. */
export type BundleProblemCode =
  | "WB-SIGN-002"
  | "WB-SIGN-003"
  | "WB-SIGN-010"
  | "WB-SIGN-011"
  | "WB-SIGN-012"
  | "WB-SIGN-013"
  | "WB-SIGN-014"
  | "WB-SIGN-015"
  | "WB-SIGN-016"
  | "WB-LOG-001"
  | "WB-LOG-002"
  | "WB-LOG-003"
  | "WB-LOG-004"
  | "WB-LOG-005"
  | "WB-LOG-006";

/** Why a bundle is refused. */
export interface BundleProblem {
  code: BundleProblemCode;
  /** For people; may quote the bundle: pass it through `safeText` before a terminal. */
  detail: string;
}
