import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Json } from "../../core/canonical-json.ts";
import type { Bench, BundleQuestion, Consumer, Diagnosis } from "./consumer.ts";
import { foretold } from "./cosign.ts";
import { fieldsOf, listOf } from "./fields.ts";
import { inPrivateFolder, pathWord, quoted } from "./in-folder.ts";
import { type Method, methodOf, predictModelSigning } from "./model-signing-rules.ts";
import { closedEnvironment, findProgram, lastLine, runProgram } from "./programs.ts";

/** `model_signing verify`, of OpenSSF Model Signing: run where it is installed and the model is at hand. */
export const modelSigning: Consumer = {
  name: "model_signing",
  diagnose: (question, bench) =>
    question.kind === "image"
      ? Promise.resolve({
          consumer: "model_signing",
          how: "by its rules",
          outcome: "cannot tell",
          why: ["model_signing reads models in folders, not images: ask it about the model's own signature"],
          fix: [],
        })
      : inPrivateFolder((folder) => diagnose(question, bench, folder)),
};

async function diagnose(question: BundleQuestion, bench: Bench, folder: string): Promise<Diagnosis> {
  const path = findProgram(bench.env, "WAYBILL_MODEL_SIGNING", ["model_signing"]);
  const { facts } = question;
  const method = "problem" in facts ? undefined : methodOf(facts);
  const command = method && pasted(question, method);
  const env = closedEnvironment(bench.env, folder);
  // Python takes a second to start: both at once.
  const [version, answer] = await Promise.all([
    path === undefined ? undefined : versionOf(path, env, bench, folder),
    opinion(question, path, method, env, bench, folder),
  ]);
  return {
    consumer: "model_signing",
    ...(version === undefined ? {} : { version }),
    ...(command === undefined ? {} : { command }),
    ...answer,
  };
}

async function opinion(
  question: BundleQuestion,
  path: string | undefined,
  method: Method | undefined,
  env: Record<string, string>,
  bench: Bench,
  folder: string,
): Promise<Pick<Diagnosis, "how" | "outcome" | "why" | "fix" | "said">> {
  const prediction = predictModelSigning(question);
  if (path === undefined) return { how: "not installed", ...foretold(prediction) };
  if (method === undefined || question.artifact === undefined || !canRun(question, method))
    return { how: "by its rules", ...foretold(prediction) };
  const ended = await runProgram(path, wordsFor(question, method, folder), { ...bench, cwd: folder, env });
  if (ended.stopped) {
    const why = [`model_signing was stopped: ${ended.stopped}`];
    return { how: "run", outcome: "cannot tell", why, fix: ["run the command yourself"] };
  }
  if (ended.code === 0) return { how: "run", outcome: "accepts", why: [], fix: [] };
  const said = lastLine(ended);
  const why = prediction.obstacles.map((obstacle) => obstacle.why);
  const fix = prediction.obstacles.map((obstacle) => obstacle.fix);
  if (why.length === 0) {
    why.push(
      "its form and signature are as wanted, so the files are not the signed ones, or model_signing cannot run",
    );
    fix.push("compare the files with `waybill model verify`, and run the command to read what it prints");
  }
  return { how: "run", outcome: "refuses", why, fix, ...(said === undefined ? {} : { said }) };
}

async function versionOf(
  path: string,
  env: Record<string, string>,
  bench: Bench,
  folder: string,
): Promise<string | undefined> {
  const ended = await runProgram(path, ["--version"], { ...bench, cwd: folder, env });
  return /version (\d[\w.+-]{0,40})/.exec(ended.stdout)?.[1];
}

function canRun({ key, trustedRoot }: BundleQuestion, method: Method | undefined): boolean {
  if (method === "key") return key !== undefined;
  return method === "certificate" && trustedRoot !== undefined;
}

function wordsFor(question: BundleQuestion, method: Method, folder: string): string[] {
  const put = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const { artifact, file, key, trustedRoot } = question;
  const words = ["verify", method, `--signature=${put("model.sig", question.text)}`];
  if (method === "key") words.push(`--public_key=${put("key.pub", key!.pem)}`);
  else words.push(`--certificate_chain=${put("roots.pem", authoritiesOf(trustedRoot!.data))}`);
  // It leaves out the signature that it is handed: that is our copy, so the caller's own must be named.
  const inside = relative(artifact!.path, file.path);
  if (inside !== "" && !inside.startsWith("..")) words.push(`--ignore-paths=${file.path}`);
  return [...words, artifact!.path];
}

/** The certificates of a trusted root's authorities as PEM. */
export function authoritiesOf(root: Json): string {
  const authorities = listOf(fieldsOf(root)?.get("certificateAuthorities"));
  return authorities
    .flatMap((one) => listOf(fieldsOf(one)?.object("certChain")?.get("certificates")))
    .flatMap((one) => {
      try {
        return [new X509Certificate(fieldsOf(one)?.bytes("rawBytes") ?? Buffer.alloc(0)).toString()];
      } catch {
        return [];
      }
    })
    .join("");
}

function pasted({ file, key, artifact }: BundleQuestion, method: Method): string {
  const signer = {
    key: `--public_key=${quoted(key?.given ?? "KEY.pub")}`,
    certificate: "--certificate_chain=AUTHORITIES.pem",
    sigstore: "--identity=IDENTITY --identity_provider=ISSUER",
  }[method];
  const model = pathWord(artifact?.given ?? "MODEL");
  return `model_signing verify ${method} --signature=${quoted(file.given)} ${signer} ${model}`;
}
