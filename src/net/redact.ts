/** Shorter ones are words of everyday: to blot them out would say where they stand. */
const MIN_SECRET = 4;

/**
 * What an Authorization header holds that nobody else may read: its credentials, for Basic (RFC 7617) also the password
 * and both together.
 */
export function secretsOf(authorization: string | undefined): string[] {
  const [scheme = "", ...rest] = (authorization ?? "").split(" ");
  const credentials = rest.join(" ");
  if (scheme.toLowerCase() !== "basic") return [credentials];
  const decoded = Buffer.from(credentials, "base64").toString("utf8");
  return [credentials, decoded, decoded.slice(decoded.indexOf(":") + 1)];
}

/** The bytes of a server's answer without secrets that it was sent: servers say in logs what they did not like. */
export function redacted(body: Buffer, secrets: readonly string[]): Buffer {
  let text: string | undefined;
  for (const secret of secrets) {
    if (secret.length < MIN_SECRET || !body.includes(secret)) continue;
    text = (text ?? body.toString("utf8")).replaceAll(secret, "[not shown]");
  }
  return text === undefined ? body : Buffer.from(text);
}
