import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { settingsDigest } from "../core/settings.ts";
import { makeReleaseStatement } from "../evidence/release.ts";
import { encodeStatement } from "../evidence/statement.ts";
import { publicKeyPem } from "../sign/keys.ts";
import { SIGSTORE_PUBLIC, SIGSTORE_PUBLIC_ROOT } from "../sign/sigstore-public.ts";
import { type Agent, releasedAgent, scratch } from "./proofs-agent.test.ts";
import { GITHUB, TestAuthority, workflow } from "./proofs-authority.test.ts";

// No verification goes to the network unasked (DESIGN §4): doors work the same with the network cut.

const PROGRAM = fileURLToPath(new URL("../../bin/waybill.js", import.meta.url));
const PRELOAD = join(scratch, "no-network.mjs");
writeFileSync(
  PRELOAD,
  `import dgram from "node:dgram";
import dns from "node:dns";
import net from "node:net";
const refuse = () => {
  process.stderr.write("the network was used\\n");
  process.exit(97);
};
net.Socket.prototype.connect = refuse;
dgram.createSocket = refuse;
for (const name of ["lookup", "resolve", "resolve4", "resolve6"]) {
  dns[name] = refuse;
  dns.promises[name] = refuse;
}
`,
);

/** Ways to run a program without a network: its command line and what its environment needs. */
const CUTS: { name: string; command: string[]; env: NodeJS.ProcessEnv; starts: boolean }[] = [
  {
    name: "every connection refused",
    command: [],
    env: { NODE_OPTIONS: `--import=${pathToFileURL(PRELOAD).href}` },
    starts: true,
  },
];
// A namespace with no interface but a loopback that is down; not every machine lets a user make one. One made
// together with a user namespace has no other user whom a started agent could become.
const namespace = ["-n", "-rn"].find((flag) => spawnSync("unshare", [flag, "true"]).status === 0);
if (namespace !== undefined)
  CUTS.push({
    name: "a network namespace of its own",
    command: ["unshare", namespace],
    env: {},
    starts: namespace === "-n",
  });

function runCut(cut: (typeof CUTS)[number], agent: Agent, args: string[]) {
  const [program, ...words] = [...cut.command, process.execPath, ...args];
  return spawnSync(program!, words, {
    cwd: agent.folder,
    encoding: "utf8",
    timeout: 60_000,
    env: {
      PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ""}`,
      WAYBILL_HOME: agent.home,
      WAYBILL_TRUST: agent.trust,
      NO_COLOR: "1",
      ...cut.env,
    },
  });
}

/** Signed by a key and by a certificate with a log entry; trust names Sigstore's public instance too. */
async function signedTwice(): Promise<Agent> {
  const agent = await releasedAgent();
  const authority = new TestAuthority("acme");
  const identity = { issuer: GITHUB, subject: workflow("acme/proof") };
  const rule = { agents: ["*"], principals: ["releaser", "ci"] };
  writeFileSync(
    agent.trust,
    JSON.stringify({
      waybillTrust: "v1",
      version: 1,
      expires: "2099-01-01T00:00:00Z",
      principals: [
        { name: "releaser", keys: [{ publicKey: publicKeyPem(agent.key.publicKey) }] },
        { name: "ci", identities: [{ ...identity, roots: ["acme"] }] },
      ],
      rules: [
        { evidence: "release", ...rule, threshold: 2 },
        { evidence: "channel", ...rule, threshold: 1 },
      ],
      trustedRoots: [
        { name: SIGSTORE_PUBLIC, root: SIGSTORE_PUBLIC_ROOT },
        { name: "acme", root: authority.root() },
      ],
    }),
  );
  const lock = agent.openLock();
  const leaves = lock.components.map((component) => component.leaf);
  const statement = encodeStatement(makeReleaseStatement("proof", leaves, settingsDigest(lock.settings)));
  agent.write(
    "waybill.evidence/release.000000000000.sigstore.json",
    authority.bundle(statement, identity, new Date()),
  );
  return agent;
}

test("with the network cut every door verifies as it does otherwise", async (t) => {
  const agent = await signedTwice();
  const server = createServer((_request, response) => response.end("here")).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const ask = `fetch("http://127.0.0.1:${port}").then((r) => r.text()).then(console.log, () => process.exit(1))`;
  const uncut = await promisify(execFile)(process.execPath, ["-e", ask]);
  assert.equal(uncut.stdout, "here\n");
  for (const cut of CUTS) {
    // The cut cuts: with it a program cannot even reach a server on this machine.
    const control = runCut(cut, agent, ["-e", ask]);
    assert.notEqual(control.status, 0, cut.name);
    assert.equal(control.stdout, "", cut.name);
    for (const [args, status] of [
      [["verify", "--level", "strict"], 0],
      [["verify", "--door", "admit"], 0],
      [["check"], 0],
      ...(cut.starts ? [[["run", "--level", "strict"], 0] as const] : []),
      [["trust", "show"], 0],
      [["trust", "plan", agent.trust], 0],
    ] as const) {
      const { status: got, stderr, stdout } = runCut(cut, agent, [PROGRAM, ...args]);
      assert.equal(got, status, `${cut.name}: waybill ${args.join(" ")}\n${stdout}${stderr}`);
    }
  }
});
