import { mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { IMAGE_SIGNATURE } from "../../verify/image-judge.ts";
import { decideImage, type Look } from "./admission-rules.ts";
import { formObstacles } from "./bundle-obstacles.ts";
import type { Bench, Diagnosis, ImageQuestion, Obstacle } from "./consumer.ts";
import type { InstalledCosign } from "./cosign.ts";
import { EMPTY_ROOT } from "./cosign-command.ts";
import { fieldsOf, listOf } from "./fields.ts";
import type { FoundSignature } from "./image-facts.ts";
import { pathWord, quoted } from "./in-folder.ts";
import { closedEnvironment, type Ended, lastLine, runProgram } from "./programs.ts";
import { hashOfCurve } from "./signed-with.ts";

/** A way to ask cosign about an image: which layout, signature or attestation of a type. */
interface Way {
  bundles: boolean;
  /** Undefined: `cosign verify`. */
  attestation: string | undefined;
}

/**
 * `cosign verify` and `verify-attestation`: run against the registry where the image has one, else by its rules. It
 * accepts the image when it verifies any signature or attestation that was found.
 */
export async function diagnoseImageWithCosign(
  question: ImageQuestion,
  major: 2 | 3,
  installed: InstalledCosign | undefined,
  bench: Bench,
  folder: string,
): Promise<Diagnosis> {
  const { image } = question;
  const prediction = decideImage(question, lookOfCosign(major));
  const ways = waysOf(image.found);
  const given = {
    key: question.key?.given ?? "KEY.pub",
    root: question.trustedRoot
      ? question.trustedRoot.given || undefined
      : major === 2
        ? "empty-root.json"
        : undefined,
  };
  const first = ways[0];
  const base = {
    consumer: `cosign${major}` as const,
    ...(installed ? { version: installed.version } : {}),
    ...(first ? { command: pasted(question, major, first, given) } : {}),
  };
  const foretold = {
    outcome: prediction.outcome,
    why: [...prediction.obstacles.map(({ why }) => why), ...prediction.notes],
    fix: prediction.obstacles.map(({ fix }) => fix),
  };
  if (!installed) return { ...base, how: "not installed", ...foretold };
  const reference = image.reference;
  if (reference === undefined || ways.length === 0 || (!question.key && !question.trustedRoot))
    return { ...base, how: "by its rules", ...needing(question, foretold) };
  const put = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const places = {
    key: put("key.pub", question.key?.pem ?? ""),
    root:
      question.trustedRoot || major === 2
        ? put("root.json", question.trustedRoot?.text ?? EMPTY_ROOT)
        : undefined,
  };
  const env = registryEnvironment(bench, folder);
  let last: Ended | undefined;
  for (const way of ways) {
    const words = wordsFor(question, major, way, places, reference);
    last = await runProgram(installed.path, words, { ...bench, cwd: folder, env });
    if (last.stopped)
      return {
        ...base,
        how: "run",
        outcome: "cannot tell",
        why: [`cosign was stopped: ${last.stopped}`],
        fix: [],
      };
    if (last.code === 0)
      return {
        ...base,
        command: pasted(question, major, way, given),
        how: "run",
        outcome: "accepts",
        why: words.includes("--insecure-ignore-tlog=true")
          ? ["with --insecure-ignore-tlog: no trusted log was given"]
          : [],
        fix: [],
      };
  }
  const said = last && lastLine(last);
  return {
    ...base,
    how: "run",
    outcome: "refuses",
    why:
      prediction.obstacles.length > 0
        ? foretold.why
        : ["none of its signatures verifies by the key or root that was given"],
    fix:
      prediction.obstacles.length > 0
        ? foretold.fix
        : ["give the key or root that belongs to them, or sign again"],
    ...(said === undefined ? {} : { said }),
  };
}

/** Without a key or root nothing can be accepted, though it may be refused. */
function needing(question: ImageQuestion, foretold: Pick<Diagnosis, "outcome" | "why" | "fix">) {
  if (foretold.outcome !== "accepts") return foretold;
  const why =
    question.image.reference === undefined
      ? ["a layout on disk: not run"]
      : ["give --key PUB or --trusted-root FILE to have it run"];
  return {
    ...foretold,
    outcome: question.image.reference === undefined ? foretold.outcome : ("cannot tell" as const),
    why,
  };
}

/** At most this many ways are tried: an image may carry attestations of many types. */
const MAX_WAYS = 6;

function waysOf(found: readonly FoundSignature[]): Way[] {
  const ways = found.map((one): Way => {
    const bundles = !one.layout.startsWith("tag");
    const attestation = one.kind === "attestation" ? (one.predicateType ?? "custom") : undefined;
    return { bundles, attestation };
  });
  return ways
    .filter(
      (way, i) => ways.findIndex((o) => o.bundles === way.bundles && o.attestation === way.attestation) === i,
    )
    .slice(0, MAX_WAYS);
}

function wordsFor(
  question: ImageQuestion,
  major: 2 | 3,
  { bundles, attestation }: Way,
  { key, root }: { key: string; root: string | undefined },
  reference: string,
): string[] {
  const { identity, issuer } = question;
  const words = [attestation === undefined ? "verify" : "verify-attestation"];
  if (attestation !== undefined) words.push(`--type=${attestation}`);
  words.push(`--new-bundle-format=${bundles}`);
  if (question.key) {
    words.push(`--key=${key}`);
    // For images cosign can be told the hash of a curve; without that it takes SHA-256 for every key.
    const hash = hashOfCurve(question.key.key);
    if (hash !== undefined && hash !== "sha256") words.push(`--signature-digest-algorithm=${hash}`);
  } else {
    words.push(
      identity === undefined ? "--certificate-identity-regexp=.*" : `--certificate-identity=${identity}`,
    );
    words.push(
      issuer === undefined ? "--certificate-oidc-issuer-regexp=.*" : `--certificate-oidc-issuer=${issuer}`,
    );
  }
  // The tag layout takes no trusted root before cosign 3.
  if (root !== undefined && (bundles || major === 3)) words.push(`--trusted-root=${root}`);
  const trusted = fieldsOf(question.trustedRoot?.data);
  if (listOf(trusted?.get("tlogs")).length === 0) words.push("--insecure-ignore-tlog=true");
  if (!question.key && listOf(trusted?.get("ctlogs")).length === 0) words.push("--insecure-ignore-sct=true");
  if (question.image.plainHttp) words.push("--allow-http-registry", "--allow-insecure-registry");
  return [...words, reference];
}

function pasted(
  question: ImageQuestion,
  major: 2 | 3,
  way: Way,
  places: { key: string; root: string | undefined },
): string {
  const { image, identity = "IDENTITY", issuer = "ISSUER" } = question;
  // What one pastes must not take every identity.
  const words = wordsFor(
    { ...question, identity, issuer },
    major,
    way,
    places,
    image.reference ?? image.given,
  );
  const line = ["cosign", ...words.slice(0, -1).map(quoted), pathWord(words.at(-1)!)].join(" ");
  return words.includes("--trusted-root=empty-root.json")
    ? `cosign trusted-root create --out empty-root.json && ${line}`
    : line;
}

/** The caller named a registry: it may be asked, with the caller's credentials for it, and through their proxy. */
function registryEnvironment(bench: Bench, folder: string): Record<string, string> {
  const { env } = bench;
  const closed = closedEnvironment(env, folder);
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]) delete closed[name];
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"]) {
    const value = env[name] ?? env[name.toLowerCase()];
    if (value) closed[name] = value;
  }
  mkdirSync(closed.HOME!, { recursive: true });
  closed.DOCKER_CONFIG = env.DOCKER_CONFIG ?? join(env.HOME ?? homedir(), ".docker");
  return closed;
}

function lookOfCosign(major: 2 | 3): Look {
  return ({ bundle, predicateType }) => {
    if (!bundle) return { obstacles: [], notes: [] };
    if ("problem" in bundle)
      return {
        obstacles: [{ why: `a referrer is no bundle: ${bundle.problem}`, fix: "sign again" }],
        notes: [],
      };
    const obstacles: Obstacle[] = formObstacles(bundle, major === 3);
    const type =
      predicateType === undefined || predicateType === IMAGE_SIGNATURE
        ? []
        : [`with --type ${predicateType}`];
    return { obstacles, notes: type };
  };
}
