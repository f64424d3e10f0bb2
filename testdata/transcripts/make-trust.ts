// Prints a trust policy (JSON is YAML): make-trust.ts [OPTIONS] PRINCIPAL=KEY[,KEY…]…, keys by their name in WAYBILL_HOME.
import { parseArgs } from "node:util";
import { waybillHome } from "../../src/flows/home.ts";
import { loadPublicKey } from "../../src/sign/key-store.ts";
import { publicKeyPem } from "../../src/sign/keys.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threshold: { type: "string", default: "1" },
    expires: { type: "string", default: "2099-01-01T00:00:00Z" },
    "not-before": { type: "string" },
    "not-after": { type: "string" },
    evidence: { type: "string", default: "release,channel" },
    agents: { type: "string", default: "*" },
    revoke: { type: "string" },
  },
});
const key = (name: string) => loadPublicKey(waybillHome(), name);
const window = {
  ...(values["not-before"] ? { notBefore: values["not-before"] } : {}),
  ...(values["not-after"] ? { notAfter: values["not-after"] } : {}),
};
const principals = positionals.map((word) => {
  const [name, keys] = word.split("=");
  return {
    name,
    keys: keys!.split(",").map((k) => ({ publicKey: publicKeyPem(key(k).publicKey), ...window })),
  };
});
const rules = values.evidence.split(",").map((evidence) => ({
  evidence,
  agents: values.agents.split(","),
  principals: principals.map(({ name }) => name),
  threshold: Number(values.threshold),
}));
const revoked = values.revoke ? [{ key: key(values.revoke).keyId, reason: "the laptop was stolen" }] : [];
const policy = { waybillTrust: "v1", version: 1, expires: values.expires, principals, rules, revoked };
console.log(JSON.stringify(policy, null, 2));
