import { WaybillError } from "../../core/errors.ts";
import { parseStrictJson } from "../../core/strict-json.ts";
import { assertType, refusedBy } from "../../net/answer.ts";
import type { HttpClient } from "../../net/http.ts";
import { MAX_TOKEN_BYTES } from "./identity-token.ts";

/** The audience that Fulcio wants unless it is set up otherwise. */
export const AUDIENCE = "sigstore";

/**
 * The identity token of the CI job that this process runs in: SIGSTORE_ID_TOKEN, as GitLab's `id_tokens` or any other CI
 * can set it, else one asked of GitHub Actions ("OpenID Connect reference": ACTIONS_ID_TOKEN_REQUEST_URL with the
 * audience added, and ACTIONS_ID_TOKEN_REQUEST_TOKEN as bearer).
 *
 * @throws WaybillError WB-INPUT-020 when there is neither, WB-NET-001..006 when GitHub does not give one
 */
export async function ambientToken(env: NodeJS.ProcessEnv, http: HttpClient): Promise<string> {
  if (env.SIGSTORE_ID_TOKEN) return env.SIGSTORE_ID_TOKEN;
  const { ACTIONS_ID_TOKEN_REQUEST_URL: address, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } = env;
  if (address && bearer && URL.canParse(address)) return githubToken(new URL(address), bearer, http);
  throw new WaybillError("WB-INPUT-020", `there is no identity token: ${situation(env)}`, {
    hint: advice(env),
  });
}

async function githubToken(url: URL, bearer: string, http: HttpClient): Promise<string> {
  url.searchParams.set("audience", AUDIENCE);
  const answer = await http.request({
    method: "GET",
    url,
    headers: { accept: "application/json", authorization: `Bearer ${bearer}` },
    maxBytes: 4 * MAX_TOKEN_BYTES,
  });
  if (answer.status !== 200) throw refusedBy(answer, "asking GitHub Actions for an identity token");
  assertType(answer, /^application\/(?:.+\+)?json$/);
  let value: unknown;
  try {
    const data = parseStrictJson(answer.body.toString("utf8"), { maxDepth: 8 });
    value = typeof data === "object" && data !== null && !Array.isArray(data) ? data.value : undefined;
  } catch {
    value = undefined;
  }
  if (typeof value === "string" && value !== "") return value;
  throw new WaybillError("WB-NET-002", "GitHub Actions answered without an identity token", {
    hint: "try again; if it stays so, give one with --identity-token FILE",
  });
}

function situation(env: NodeJS.ProcessEnv): string {
  if (env.GITHUB_ACTIONS === "true") return "this job may not ask GitHub for one";
  if (env.GITLAB_CI === "true") return "this job has no SIGSTORE_ID_TOKEN";
  return "this is not a CI job that has one";
}

function advice(env: NodeJS.ProcessEnv): string {
  if (env.GITHUB_ACTIONS === "true")
    return "add to the job: permissions: {id-token: write, contents: read}; jobs of forks cannot have it";
  if (env.GITLAB_CI === "true") return "add to the job: id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}";
  return "give one with --identity-token FILE, or set SIGSTORE_ID_TOKEN; or sign with a key: --key NAME";
}
