import { safeText } from "../../core/safe-text.ts";
import { planTrust } from "../../flows/trust-plan.ts";
import { openTrust } from "../../flows/trust-save.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { renderError } from "../render/error.ts";
import { wrap } from "../render/finding.ts";

/** `waybill trust plan`: what would stop and what would start to verify under another policy. */
export const run: Run = ({ options, positionals }, io) => {
  const [newer, ...paths] = positionals;
  const { policy: current } = openTrust((options.trust as string | undefined) ?? io.env.WAYBILL_TRUST);
  const plan = planTrust(current, openTrust(newer), paths.length > 0 ? paths : ["."], io.now());
  const stops = plan.refused.length > 0 || plan.statements.some(({ change }) => change === "stops");
  const code = stops ? EXIT.denied : EXIT.allowed;
  if (options.format === "json") {
    io.out(`${JSON.stringify({ ...plan, stops }, null, 2)}\n`);
    return Promise.resolve(code);
  }
  for (const { code: name, message, fix } of plan.refused)
    io.out(`${renderError({ code: name, message, hint: fix }, io)}\n`);
  for (const { files, claim, before, after, change } of plan.statements) {
    const colour = change === "stops" ? "red" : change === "starts" ? "green" : "dim";
    const about = `${claim.evidence}${claim.agent ? ` of ${claim.agent}` : ""}${claim.target ? ` at ${claim.target}` : ""}`;
    io.out(
      `${io.paint(colour, change === "same" ? "stays " : change.padEnd(6))}  ${safeText(about)}  ${files.map(safeText).join(", ")}\n`,
    );
    const why = after ?? before;
    if (why !== null)
      for (const line of wrap(
        `${change === "starts" ? "did not count" : "does not count"}: ${safeText(why)}`,
        io.width - 8,
        "",
      ))
        io.out(`        ${line}\n`);
  }
  for (const { file, problem } of plan.unread) io.err(`not read  ${safeText(file)}: ${safeText(problem)}\n`);
  const count = (change: string) => plan.statements.filter((s) => s.change === change).length;
  io.out(
    `${plan.refused.length > 0 ? "doors would refuse the new policy; " : ""}${count("stops")} would stop, ${count("starts")} would start, ${count("same")} would stay\n`,
  );
  return Promise.resolve(code);
};
