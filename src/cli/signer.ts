import { safeText } from "../core/safe-text.ts";
import { waybillHome } from "../flows/home.ts";
import { loggedSigner } from "../flows/logged-signer.ts";
import { loadKey, type SigningKey } from "../sign/key-store.ts";
import { keySigner, type SignedBundle, type StatementSigner } from "../sign/statement-signer.ts";
import type { Arguments } from "./command.ts";
import type { Io } from "./io.ts";
import { wantsKeyless } from "./keyless-options.ts";
import { passphrase } from "./passphrase.ts";

/**
 * The signer that the options ask for, keyless or a stored key. What it signs is logged in the journal of this home,
 * and said on standard error.
 *
 * @returns `key` for a stored key
 * @throws WaybillError as `loadKey` and `keylessFrom`
 */
export async function signerFrom(
  options: Arguments["options"],
  io: Io,
): Promise<{ statements: StatementSigner; key?: SigningKey }> {
  const home = waybillHome(io.env);
  const logged = (signer: StatementSigner) =>
    loggedSigner(
      signer,
      home,
      ({ index, origin }) => io.err(`logged  entry ${index} of ${safeText(origin)}\n`),
      (note) => io.err(`note: ${safeText(note)}\n`),
    );
  if (wantsKeyless(options))
    return { statements: logged(await (await import("./keyless.ts")).keylessFrom(options, io)) };
  const name = String(options.key);
  const file = options["passphrase-file"] as string | undefined;
  const key = loadKey(home, name, await passphrase(io, file, `passphrase of key ${name}`));
  return { statements: logged(keySigner(key)), key };
}

/** Who has signed, in two words and a name, for people. */
export function signedBy(by: SignedBundle["by"]): string {
  if ("key" in by) return `with    key ${by.key.name} (${by.key.keyId.slice(0, 12)})`;
  return `as      ${safeText(by.identity.subject)}, by ${safeText(by.identity.issuer)}`;
}
