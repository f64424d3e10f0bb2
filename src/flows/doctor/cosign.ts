import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench, BundleQuestion, Consumer, Diagnosis, Prediction } from "./consumer.ts";
import { cosignWords, EMPTY_ROOT, type Leniency, leniencyFor, type Places } from "./cosign-command.ts";
import { diagnoseImageWithCosign } from "./cosign-image.ts";
import { comparedWith, predictCosign } from "./cosign-rules.ts";
import { inPrivateFolder, pathWord, quoted } from "./in-folder.ts";
import { closedEnvironment, type Ended, findProgram, lastLine, runProgram } from "./programs.ts";

/** The first release that reads Sigstore bundles with a trusted root of the caller's (cosign's CHANGELOG, v2.4.0). */
const FIRST_WITH_BUNDLES: readonly [number, number] = [2, 4];

/** `cosign verify-blob` and `verify-blob-attestation` of this major version: run where it is installed. */
export function cosignConsumer(major: 2 | 3): Consumer {
  const name = `cosign${major}` as const;
  return {
    name,
    diagnose: (question, bench) =>
      inPrivateFolder(async (folder) => {
        const installed = await findCosign(major, bench, folder);
        return question.kind === "image"
          ? diagnoseImageWithCosign(question, major, installed, bench, folder)
          : diagnose(question, major, installed, bench, folder);
      }),
  };
}

/** A cosign of this machine and what `cosign version` says. */
export interface InstalledCosign {
  path: string;
  version: string;
}

/** Finds cosign of a major version: `WAYBILL_COSIGN2` or `WAYBILL_COSIGN3`, else `cosign2`/`cosign3` or `cosign` on PATH. */
export async function findCosign(
  major: 2 | 3,
  bench: Bench,
  folder: string,
): Promise<InstalledCosign | undefined> {
  for (const name of [`cosign${major}`, "cosign"]) {
    const path = findProgram(bench.env, `WAYBILL_COSIGN${major}`, [name]);
    if (path === undefined) continue;
    const env = closedEnvironment(bench.env, folder);
    const ended = await runProgram(path, ["version", "--json"], { ...bench, cwd: folder, env });
    const version = /"gitVersion":\s*"v?(\d+\.\d+\.\d+[\w.+-]{0,40})"/.exec(ended.stdout)?.[1];
    if (version?.startsWith(`${major}.`)) return { path, version };
    // Builds without version information say "devel": then its name must do.
    if (version === undefined && name !== "cosign") return { path, version: `${major}.x` };
  }
  return undefined;
}

async function diagnose(
  question: BundleQuestion,
  major: 2 | 3,
  installed: InstalledCosign | undefined,
  bench: Bench,
  folder: string,
): Promise<Diagnosis> {
  const prediction = predictCosign(question, major);
  const compared = comparedWith(question);
  const leniency = leniencyFor(question);
  const places = placesGiven(question);
  const shownWords = compared && cosignWords(question, major, compared, places, leniency);
  const base = {
    consumer: `cosign${major}` as const,
    ...(installed ? { version: installed.version } : {}),
    ...(shownWords ? { command: pasted(question, major, shownWords) } : {}),
  };
  const [, minor] = installed?.version.split(".").map(Number) ?? [];
  if (installed && major === FIRST_WITH_BUNDLES[0] && minor !== undefined && minor < FIRST_WITH_BUNDLES[1])
    return {
      ...base,
      how: "by its rules",
      outcome: "refuses",
      why: ["cosign before 2.4 does not read Sigstore bundles"],
      fix: ["install cosign 2.6 or 3"],
    };
  const runnable = installed !== undefined && compared !== undefined && canRun(question);
  if (!runnable)
    return { ...base, how: installed ? "by its rules" : "not installed", ...foretold(prediction) };
  const copies = copyInputs(question, folder);
  const run = (how: Leniency) =>
    runProgram(installed.path, cosignWords(question, major, compared, copies, how), {
      ...bench,
      cwd: folder,
      env: closedEnvironment(bench.env, folder),
    });
  const ended = await run(leniency);
  const withoutLog =
    ended.code !== 0 &&
    !ended.stopped &&
    !leniency.ignoresLog &&
    (await run({ ...leniency, ignoresLog: true }));
  return {
    ...base,
    how: "run",
    ...concluded(question, prediction, leniency, ended, withoutLog || undefined),
  };
}

/** Turns the exit code into an outcome; the prediction says why. Nothing that cosign prints is taken for evidence. */
export function concluded(
  question: BundleQuestion,
  prediction: Prediction,
  leniency: Leniency,
  ended: Ended,
  withoutLog?: Ended,
): Pick<Diagnosis, "outcome" | "why" | "fix" | "said"> {
  if (ended.stopped)
    return {
      outcome: "cannot tell",
      why: [`cosign was stopped: ${ended.stopped}`],
      fix: ["run the command yourself"],
    };
  if (ended.code === 0) return { outcome: "accepts", why: conditions(question, leniency), fix: [] };
  const said = lastLine(ended);
  const because = prediction.obstacles;
  const why = because.map((obstacle) => obstacle.why);
  const fix = because.map((obstacle) => obstacle.fix);
  if (withoutLog?.code === 0) {
    why.push("its log entry is of no log that the trusted root names, or does not verify");
    fix.push("add the log to the trusted root, or leave the log unchecked with --insecure-ignore-tlog");
  } else if (why.length === 0) {
    why.push("it ended with an error that Waybill's rules did not foresee");
    fix.push("run the command and read what it prints");
  }
  return { outcome: "refuses", why, fix, ...(said === undefined ? {} : { said }) };
}

function ownName(own: BundleQuestion["own"]): string {
  const holder = own && "verified" in own ? own.holder : undefined;
  return holder
    ? `: its certificate is for ${holder.subjects.join(", ")} by ${holder.issuer ?? "no issuer"}`
    : "";
}

function conditions({ facts, artifact, trustedRoot, own }: BundleQuestion, leniency: Leniency): string[] {
  if ("problem" in facts) return [];
  const said: string[] = [];
  if (leniency.ignoresLog)
    said.push(
      facts.entries.length === 0
        ? "only with --insecure-ignore-tlog: it has no log entry"
        : `with --insecure-ignore-tlog: ${trustedRoot ? "the trusted root names no log" : "no trusted root was given for its log entry"}`,
    );
  if (facts.signer?.kind === "certificate") {
    if (leniency.anyIdentity) said.push(`for any identity, as none was given${ownName(own)}`);
    if (leniency.ignoresSct)
      said.push("with --insecure-ignore-sct: the trusted root names no certificate log");
  }
  if (!artifact || artifact.folder)
    if (facts.content?.kind === "dsse")
      said.push(
        "its statement was compared with a digest; no file was hashed: give --artifact FILE for that",
      );
  return said;
}

/** What is said where nothing was run. */
export function foretold(prediction: Prediction): Pick<Diagnosis, "outcome" | "why" | "fix"> {
  const { outcome, obstacles, notes } = prediction;
  return {
    outcome,
    why: [...obstacles.map((obstacle) => obstacle.why), ...notes],
    fix: obstacles.map((obstacle) => obstacle.fix),
  };
}

/** A verifier that lacks the key or the root says no to everything: that would be no answer. */
function canRun({ facts, key, trustedRoot }: BundleQuestion): boolean {
  if ("problem" in facts || !facts.signer) return key !== undefined;
  return facts.signer.kind === "key" ? key !== undefined : key !== undefined || trustedRoot !== undefined;
}

function copyInputs(question: BundleQuestion, folder: string): Places {
  const put = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  return {
    bundle: put("bundle.json", question.text),
    key: put("key.pub", question.key?.pem ?? ""),
    root: put("root.json", question.trustedRoot?.text ?? EMPTY_ROOT),
    empty: put("empty.json", EMPTY_ROOT),
    // Absolute, so it cannot be an option; it may be too large to copy.
    artifact: question.artifact?.path ?? "",
  };
}

function placesGiven({ file, key, trustedRoot, artifact, own }: BundleQuestion): Places {
  const { subjects, issuer } = (own && "verified" in own && own.holder) || {
    subjects: [],
    issuer: undefined,
  };
  return {
    anyIdentity: {
      identity: `--certificate-identity=${subjects[0] ?? "IDENTITY"}`,
      issuer: `--certificate-oidc-issuer=${issuer ?? "ISSUER"}`,
    },
    bundle: file.given,
    key: key?.given ?? "KEY.pub",
    root: trustedRoot?.given ?? "ROOT.json",
    empty: "empty-root.json",
    artifact: artifact?.given ?? "FILE",
  };
}

function pasted(question: BundleQuestion, major: 2 | 3, words: readonly string[]): string {
  const isPath = (word: string, i: number) => i === words.length - 1 && !word.startsWith("--");
  const line = ["cosign", ...words.map((word, i) => (isPath(word, i) ? pathWord(word) : quoted(word)))].join(
    " ",
  );
  const needsEmpty =
    major === 2 && !question.trustedRoot && words.some((word) => word.endsWith("=empty-root.json"));
  return needsEmpty ? `cosign trusted-root create --out empty-root.json && ${line}` : line;
}
