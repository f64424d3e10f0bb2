import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { PrivateSigstore, skipPrivateSigstore } from "./private-sigstore/fixture.ts";

// node scripts/private-sigstore.ts [DIR]: a whole private Sigstore on loopback until Ctrl-C. Writes trusted_root.json,
// signing_config.json and a token for release@example.com (ten minutes) into DIR; default: the instance's own folder,
// which goes with it.

if (skipPrivateSigstore !== false) {
  process.stderr.write(`${skipPrivateSigstore}\nrun: npm run toolbox\n`);
  process.exit(1);
}
const sigstore = await PrivateSigstore.start();
const dir = resolve(process.argv[2] ?? sigstore.folder);
const write = (name: string, content: string) => {
  writeFileSync(join(dir, name), content, { mode: 0o600 });
  return join(dir, name);
};
console.log(`fulcio          ${sigstore.fulcioUrl}`);
console.log(`rekor v2        ${sigstore.rekorUrl}`);
console.log(`timestamps      ${sigstore.tsaUrl}`);
console.log(`issuer          ${sigstore.issuer.url("people")}`);
console.log(`trusted root    ${write("trusted_root.json", JSON.stringify(sigstore.trustedRoot(), null, 2))}`);
console.log(
  `signing config  ${write("signing_config.json", JSON.stringify(sigstore.signingConfig(), null, 2))}`,
);
console.log(`token           ${write("token.jwt", sigstore.personToken("release@example.com"))}`);
console.log("Ctrl-C ends it");

const stop = () => void sigstore.stop().then(() => process.exit(0));
process.once("SIGINT", stop).once("SIGTERM", stop).once("SIGHUP", stop);
