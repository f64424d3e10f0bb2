import { WaybillError } from "../../core/errors.ts";
import { waybillHome } from "../../flows/home.ts";
import { type ExpectedModelSigner, type ModelVerdict, verifyModel } from "../../flows/model-verify.ts";
import { loadVerifyKey } from "../../flows/verify-bundles.ts";
import type { Arguments, Run } from "../command.ts";
import { exitCodeOf } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { ProgressLine } from "../progress.ts";
import { renderFinding } from "../render/finding.ts";

/** `waybill model verify`: a model folder or file against its OMS signature. */
export const run: Run = async ({ options, positionals }, io) => {
  const signer = expectedSigner(options, io);
  const root = options["trusted-root"] as string | undefined;
  const progress = new ProgressLine(io, "verifying");
  const verdict = await verifyModel({
    path: positionals[0]!,
    signature: options.signature as string | undefined,
    signer,
    trustedRoot: root ?? (signer.by === "identity" ? "sigstore-public" : undefined),
    ignoreUnsignedFiles: options["ignore-unsigned-files"] === true,
    now: io.now(),
    onProgress: progress.update,
    signal: io.signal,
  }).finally(() => progress.done());
  io.out(options.format === "json" ? `${JSON.stringify(verdict, null, 2)}\n` : asText(verdict, io));
  return exitCodeOf(verdict.outcome);
};

/** Exactly one way to say whose signature counts; WAYBILL_TRUST where none is given. */
function expectedSigner(options: Arguments["options"], io: Io): ExpectedModelSigner {
  const given = (["key", "trust", "certificate-chain", "identity"] as const).filter(
    (name) => options[name] !== undefined,
  );
  const hint =
    "give one of --key FILE, --trust FILE, --certificate-chain FILE, --identity NAME with --issuer URL";
  if (given.length > 1)
    throw new WaybillError("WB-INPUT-007", `--${given[0]} and --${given[1]} stand together`, { hint });
  if ((options.identity === undefined) !== (options.issuer === undefined))
    throw new WaybillError("WB-INPUT-007", "--identity and --issuer belong together", { hint });
  const text = (name: string) => String(options[name]);
  const agent = options.agent as string | undefined;
  switch (given[0]) {
    case "key":
      return { by: "key", publicKey: loadVerifyKey(text("key")) };
    case "certificate-chain":
      return { by: "chain", file: text("certificate-chain") };
    case "identity":
      return { by: "identity", subject: text("identity"), issuer: text("issuer") };
    default: {
      const file = (options.trust as string | undefined) ?? io.env.WAYBILL_TRUST;
      if (file) return { by: "trust", file, agent, home: waybillHome(io.env) };
      throw new WaybillError("WB-INPUT-007", "nothing says whose signature counts", { hint });
    }
  }
}

const SAID = { allow: "✔ allowed", deny: "✖ denied", "cannot-tell": "◌ cannot tell" } as const;
const COLOUR = { allow: "green", deny: "red", "cannot-tell": "yellow" } as const;

function asText(verdict: ModelVerdict, io: Io): string {
  const { outcome, model, signedBy, signed, compared, findings, advisory, notEvaluated } = verdict;
  const { paint, width } = io;
  const lines = [`${paint(COLOUR[outcome], SAID[outcome])}  model ${model}\n`];
  if (signedBy !== undefined) lines.push(`  signed by ${signedBy}\n`);
  if (signed)
    lines.push(
      `  ${compared} of ${signed.resources} ${signed.method} compared (${signed.hashType})\n  root ${signed.root}\n`,
    );
  const render = (severity: "error" | "note") => (finding: ModelVerdict["findings"][number]) =>
    `\n${renderFinding(finding, { paint, width, severity, sources: new Map() })}`;
  lines.push(...findings.map(render("error")), ...advisory.map(render("note")));
  for (const reason of notEvaluated) lines.push(`\n${paint("yellow", "not evaluated")}: ${reason}\n`);
  return lines.join("");
}
