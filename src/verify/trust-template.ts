import { importPublicKey, keyId } from "../sign/keys.ts";

/**
 * The text of a trust policy that lets one principal sign releases and channels: the start for `waybill trust init`
 * and `waybill keys show --trust`, to be read and edited by its operator.
 *
 * @param options `publicKey` SPKI PEM, absent where identities follow; `expires` RFC 3339 in UTC; `agents` exact names, every agent when absent
 * @throws WaybillError WB-INPUT-016 for a key that is not accepted
 */
export function trustTemplate(options: {
  principal: string;
  publicKey?: string;
  expires: string;
  agents?: readonly string[];
}): string {
  const { principal, expires } = options;
  const { publicKey } = options;
  const keys =
    publicKey === undefined
      ? []
      : [
          "    keys:",
          `      - publicKey: |   # key id ${keyId(importPublicKey(publicKey))}`,
          ...publicKey
            .trim()
            .split(/\r?\n/)
            .map((line) => `          ${line.trim()}`),
          "        # notBefore: 2026-01-01T00:00:00Z",
          "        # notAfter: 2027-01-01T00:00:00Z",
        ];
  const agents = `[${(options.agents ?? ["*"]).map((name) => JSON.stringify(name)).join(", ")}]`;
  const rule = (evidence: string, comment: string) => [
    `  - evidence: ${evidence}   # ${comment}`,
    `    agents: ${agents}`,
    `    principals: [${JSON.stringify(principal)}]`,
    "    threshold: 1",
  ];
  return [
    "# Who may sign what. Keep this file with whoever runs the agent, not in the agent's own folder:",
    "# found there it is self-asserted and proves nothing.",
    "waybillTrust: v1",
    "version: 1   # raise it with every change",
    `expires: ${expires}   # from then on this file trusts no one`,
    "principals:   # people or workloads; thresholds count them, never their keys",
    `  - name: ${JSON.stringify(principal)}`,
    ...keys,
    "rules:",
    ...rule("release", "what the agent is made of"),
    ...rule("channel", "which releases may run"),
    '    targets: ["*"]',
    "revoked: []   # - {key: <key id>, compromisedSince: 2026-05-01T00:00:00Z, reason: text}",
    "",
  ].join("\n");
}
