import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import { CONSUMER_NAMES, type ConsumerName } from "../../flows/doctor/consumer.ts";
import { type DoctorRequest, doctor, overall, PROGRAM_TIMEOUT_MS } from "../../flows/doctor/doctor.ts";
import type { Run } from "../command.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { looksLikeImage, registryAccess } from "../image-options.ts";
import { ProgressLine } from "../progress.ts";
import { renderDiagnoses } from "../render/doctor-text.ts";

/** `waybill doctor`: who would accept a bundle or an image, and how to make one that they do. */
export const run: Run = async ({ options, positionals }, io) => {
  const target = positionals[0]!;
  const request: DoctorRequest = { target, cwd: io.cwd };
  if (statSync(resolve(io.cwd, target), { throwIfNoEntry: false })?.isDirectory())
    throw new WaybillError("WB-INPUT-007", `${safeText(target)} is a folder: a bundle or an image is meant`, {
      hint: `for a model: waybill doctor ${safeText(target)}/model.sig --artifact ${safeText(target)}`,
    });
  // A file that is there is meant, whatever its name looks like.
  if (looksLikeImage(target) && !existsSync(resolve(io.cwd, target)))
    request.registries = registryAccess({ options }, io);
  const text = (name: string) => (typeof options[name] === "string" ? options[name] : undefined);
  for (const [name, field] of FIELDS) {
    const value = text(name);
    if (value !== undefined) request[field] = value;
  }
  const only = text("for");
  if (only !== undefined) request.only = consumerNames(only);
  const progress = new ProgressLine(io, "asking");
  const bench = { env: io.env, signal: io.signal, timeoutMs: PROGRAM_TIMEOUT_MS };
  const diagnoses = await doctor(request, bench).finally(() => progress.done());
  const outcome = overall(diagnoses);
  io.out(
    options.format === "json"
      ? `${JSON.stringify({ target: request.target, outcome, diagnoses }, null, 2)}\n`
      : renderDiagnoses(diagnoses, request.target, io),
  );
  return exitCodeOf(outcome);
};

const FIELDS = [
  ["key", "key"],
  ["identity", "identity"],
  ["issuer", "issuer"],
  ["trusted-root", "trustedRoot"],
  ["artifact", "artifact"],
  ["digest", "digest"],
] as const;

function consumerNames(text: string): ConsumerName[] {
  const names = text.split(",");
  const wrong = names.find((name) => !(CONSUMER_NAMES as readonly string[]).includes(name));
  if (wrong === undefined) return names as ConsumerName[];
  throw new WaybillError("WB-INPUT-007", `--for ${safeText(wrong)}: nobody who is asked`, {
    hint: `with commas between them: ${CONSUMER_NAMES.join(", ")}`,
  });
}
