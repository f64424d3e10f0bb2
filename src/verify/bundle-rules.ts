import type { Finding, Rule } from "../core/finding.ts";
import type { BundleProblem, BundleProblemCode } from "../sign/bundle-problem.ts";
import { VERIFY_RULES } from "./rules.ts";

const rule = (code: string, title: string, why: string, fix: string): Rule => ({
  code,
  group: "signature",
  title,
  why,
  fix,
  blocksAt: "baseline",
});

/** The rules that a Sigstore bundle can fail, beside WB-SIGN-002 and WB-SIGN-003. */
export const BUNDLE_RULES = {
  malformed: rule(
    "WB-SIGN-010",
    "the bundle is well formed",
    "A bundle that two programs can read differently proves different things to them. Only Sigstore bundles v0.1 to v0.3 in strict JSON are read, with one signature over a file or an in-toto statement.",
    "let its signer make it again: cosign attest-blob --new-bundle-format, or waybill sign",
  ),
  chain: rule(
    "WB-SIGN-011",
    "the signer's certificate is issued by a trusted authority",
    "Anyone can make a certificate with any name in it. It says something only when an authority that you trust issued it, for signing, within its time.",
    "name the root of the authority that issued it: --trusted-root FILE",
  ),
  artifact: rule(
    "WB-SIGN-012",
    "the bundle is about this artifact",
    "A good signature over something else says nothing about the file at hand.",
    "give the file that was signed: --artifact FILE, or get the bundle that belongs to this one",
  ),
  predicate: rule(
    "WB-SIGN-013",
    "the statement is of the type that is asked for",
    "An attestation of one type must never pass for another: a test report is no approval.",
    "give the bundle of that type, or ask for the type that it is: --type URI",
  ),
  window: rule(
    "WB-SIGN-014",
    "the certificate was valid when it was signed with",
    "A signer's certificate lives for minutes. A signature of a later time may be by whoever found the key.",
    "sign again",
  ),
  noTime: rule(
    "WB-SIGN-015",
    "a trusted authority says when it was signed",
    "A certificate that has expired by now counts only when a timestamp, a log or a witness that you trust proves that the signature is older. What a statement says of its own time proves nothing.",
    "sign with a timestamp authority or log that the trusted root names, or name theirs: --trusted-root FILE",
  ),
  sct: rule(
    "WB-SIGN-016",
    "the certificate was published",
    "An authority that is tricked or broken into can issue a certificate in anyone's name. A certificate transparency log's signature (SCT) in it makes sure that such a certificate would be seen.",
    "sign again with a certificate from an authority that publishes them, or name its log: --trusted-root FILE",
  ),
  notLogged: rule(
    "WB-LOG-001",
    "the signature is in a trusted log",
    "Who signs in secret can sign anything. An entry in a public log is seen by whoever watches over the name.",
    "sign with a log that the trusted root names, or name its log: --trusted-root FILE",
  ),
  inclusion: rule(
    "WB-LOG-002",
    "the log's proof holds",
    "The proof of inclusion must lead to a checkpoint that the log signed. One that does not was damaged or made up.",
    "get the bundle again from where it was published, or sign again",
  ),
  entry: rule(
    "WB-LOG-003",
    "the log entry is about this signature",
    "An entry about another signature, signer or content proves nothing about this one.",
    "get the bundle again from where it was published, or sign again",
  ),
  timestamp: rule(
    "WB-LOG-004",
    "the timestamp is valid",
    "A timestamp must be over this very signature, by an authority that was trusted at that time.",
    "get the bundle again from where it was published, or sign again",
  ),
  witnesses: rule(
    "WB-LOG-005",
    "enough witnesses have seen the log",
    "A log can show different people different histories. Witnesses that sign its checkpoints make that impossible unless all of them take part.",
    "get a bundle with a checkpoint that the witnesses have signed",
  ),
  promise: rule(
    "WB-LOG-006",
    "the log's signed entry timestamp is valid",
    "It is the log's word on when the entry was made. One that does not verify was damaged or made up.",
    "get the bundle again from where it was published, or sign again",
  ),
} as const satisfies Record<string, Rule>;

const BY_CODE: ReadonlyMap<string, Rule> = new Map(
  [...Object.values(BUNDLE_RULES), VERIFY_RULES.someoneElse, VERIFY_RULES.invalid].map((each) => [
    each.code,
    each,
  ]),
);

/** The rule of a problem's code. */
function bundleRule(code: BundleProblemCode): Rule {
  return BY_CODE.get(code)!;
}

/** A refused bundle as a finding. Nothing excuses a signature that does not verify. */
export function bundleFinding({ code, detail }: BundleProblem, file: string): Finding {
  return { ...refusalFinding(bundleRule(code), detail, file), final: true };
}

/** A bundle that a rule refuses, as a finding. */
export function refusalFinding({ code, why, fix }: Rule, detail: string, file: string): Finding {
  return { code, message: detail, path: file, why, fix };
}
