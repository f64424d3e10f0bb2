import type { Json } from "../../core/canonical-json.ts";

/** What a registry is shown. */
export type Credentials =
  | { kind: "password"; user: string; password: string }
  /** Traded for access tokens at the token endpoint (OAuth 2 refresh token). */
  | { kind: "identity"; token: string }
  /** Shown as it is. */
  | { kind: "bearer"; token: string };

/** Where a credential file says that credentials are to be had. */
export type CredentialSource = { credentials: Credentials } | { helper: string; server: string };

/** The name under which `docker login` keeps Docker Hub. */
const HUB = "https://index.docker.io/v1/";

/**
 * Looks a repository up in a credential file: Docker's `config.json`, or containers' `auth.json`, where the most
 * specific of `host/path`, …, `host` counts. A helper of this very host wins over stored words, a store for all
 * hosts is asked last.
 *
 * @param config the file as parsed
 * @returns undefined where it says nothing of this registry
 */
export function findCredentials(
  config: Json,
  registry: string,
  repository: string,
): CredentialSource | undefined {
  const helpers = record(get(config, "credHelpers"));
  const own = keysFor(registry, repository);
  for (const key of own) {
    const helper = helpers[key];
    if (typeof helper === "string" && helper !== "") return { helper, server: key };
  }
  const auths = new Map<string, Json>();
  for (const [key, value] of Object.entries(record(get(config, "auths")))) {
    const name = hostKey(key);
    if (!auths.has(name)) auths.set(name, value);
  }
  for (const key of own) {
    const credentials = readAuth(auths.get(hostKey(key)));
    if (credentials) return { credentials };
  }
  const store = get(config, "credsStore");
  if (typeof store === "string" && store !== "")
    return { helper: store, server: registry === "docker.io" ? HUB : registry };
  return undefined;
}

/**
 * Reads what a credential helper printed (docker-credential-helpers, "Development"): `{Username, Secret}`; the
 * user `<token>` means an identity token.
 */
export function readHelperAnswer(data: Json): Credentials | undefined {
  const [user, secret] = [get(data, "Username"), get(data, "Secret")];
  if (typeof user !== "string" || typeof secret !== "string" || secret === "") return undefined;
  return user === "<token>"
    ? { kind: "identity", token: secret }
    : { kind: "password", user, password: secret };
}

/** The names under which a repository's credentials may stand, the most specific first. */
function keysFor(registry: string, repository: string): string[] {
  const parts = repository.split("/");
  const paths = parts.map((_, i) => `${registry}/${parts.slice(0, parts.length - i).join("/")}`);
  return [...paths, registry, ...(registry === "docker.io" ? [HUB, "index.docker.io"] : [])];
}

/** `https://host/v1/` and `host` are one. */
function hostKey(key: string): string {
  const bare = key.replace(/^https?:\/\//, "").replace(/\/(?:v1|v2)?\/?$/, "");
  return bare === "index.docker.io" || bare === "registry-1.docker.io" ? "docker.io" : bare;
}

function readAuth(entry: Json | undefined): Credentials | undefined {
  const [bearer, identity, auth] = [
    get(entry, "registrytoken"),
    get(entry, "identitytoken"),
    get(entry, "auth"),
  ];
  if (typeof bearer === "string" && bearer !== "") return { kind: "bearer", token: bearer };
  if (typeof identity === "string" && identity !== "") return { kind: "identity", token: identity };
  if (typeof auth === "string" && auth !== "") {
    const text = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
    const colon = text.indexOf(":");
    if (colon > 0) return { kind: "password", user: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  const [user, password] = [get(entry, "username"), get(entry, "password")];
  if (typeof user === "string" && typeof password === "string" && user !== "")
    return { kind: "password", user, password };
  return undefined;
}

function get(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

function record(value: Json | undefined): { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}
