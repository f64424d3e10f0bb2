import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** The issuers of one server, by the first part of their path: how Fulcio is told to read their tokens. */
export const REALMS = ["people", "github", "gitlab"] as const;
export type Realm = (typeof REALMS)[number];

/** Claims of a token; those of `IssuedToken` that are absent get their usual values. */
export type Claims = Record<string, unknown>;

/**
 * An OpenID Connect issuer on loopback: discovery (OpenID Connect Discovery 1.0 §4), its keys (RFC 7517), and tokens for
 * whoever asks in this process. Nobody logs in.
 */
export class Issuer {
  private readonly server: Server;
  private readonly privateKey: KeyObject;
  private port = 0;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.privateKey = privateKey;
    const keys = { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "1", alg: "RS256", use: "sig" }] };
    this.server = createServer((request, response) => {
      const realm = REALMS.find((name) => request.url?.startsWith(`/${name}/`));
      const path = realm && request.url?.slice(realm.length + 1);
      const answers: Record<string, unknown> = {
        "/.well-known/openid-configuration": {
          issuer: realm && this.url(realm),
          jwks_uri: realm && `${this.url(realm)}/keys`,
          authorization_endpoint: realm && `${this.url(realm)}/none`,
          token_endpoint: realm && `${this.url(realm)}/none`,
          response_types_supported: ["id_token"],
          subject_types_supported: ["public"],
          id_token_signing_alg_values_supported: ["RS256"],
        },
        "/keys": keys,
      };
      const answer = path === undefined ? undefined : answers[path];
      response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
      response.end(JSON.stringify(answer ?? {}));
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once("error", reject).listen(0, "127.0.0.1", resolve);
    });
    this.port = (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** The `iss` of a realm's tokens. */
  url(realm: Realm): string {
    return `http://127.0.0.1:${this.port}/${realm}`;
  }

  /** A signed token (RFC 7519) for Sigstore's audience, good for ten minutes unless the claims say otherwise. */
  token(realm: Realm, claims: Claims): string {
    const now = Math.floor(Date.now() / 1000);
    const usual = { iss: this.url(realm), aud: "sigstore", iat: now, exp: now + 600 };
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${encode({ alg: "RS256", typ: "JWT", kid: "1" })}.${encode({ ...usual, ...claims })}`;
    return `${signed}.${sign("sha256", Buffer.from(signed), this.privateKey).toString("base64url")}`;
  }
}

/** Claims of somebody with a confirmed e-mail address. */
export function personClaims(email: string): Claims {
  return { sub: email, email, email_verified: true };
}

/** Claims of a GitHub Actions job as that issuer writes them. */
export function githubClaims(
  repository = "example-org/support-agent",
  workflow = ".github/workflows/release.yml",
  ref = "refs/heads/main",
): Claims {
  const owner = repository.split("/")[0]!;
  const sha = "4f0c2d3b5a697887665544332211ffeeddccbbaa";
  return {
    sub: `repo:${repository}:ref:${ref}`,
    ref,
    sha,
    repository,
    repository_owner: owner,
    repository_owner_id: "1001",
    repository_id: "2002",
    repository_visibility: "private",
    workflow: "release",
    workflow_ref: `${repository}/${workflow}@${ref}`,
    workflow_sha: sha,
    job_workflow_ref: `${repository}/${workflow}@${ref}`,
    job_workflow_sha: sha,
    event_name: "push",
    runner_environment: "github-hosted",
    run_id: "3003",
    run_attempt: "1",
  };
}

/** Claims of a GitLab job as that issuer writes them. */
export function gitlabClaims(project = "example-group/support-agent", ref = "main"): Claims {
  const sha = "4f0c2d3b5a697887665544332211ffeeddccbbaa";
  return {
    sub: `project_path:${project}:ref_type:branch:ref:${ref}`,
    project_path: project,
    project_id: "2002",
    namespace_path: project.split("/")[0]!,
    namespace_id: "1001",
    project_visibility: "private",
    pipeline_source: "push",
    ref,
    ref_type: "branch",
    sha,
    job_id: "3003",
    ci_config_ref_uri: `gitlab.com/${project}//.gitlab-ci.yml@refs/heads/${ref}`,
    ci_config_sha: sha,
    runner_environment: "gitlab-hosted",
  };
}
