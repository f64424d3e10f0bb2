import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { PrivateSigstore, skipPrivateSigstore } from "../../scripts/private-sigstore/fixture.ts";
import { githubClaims, personClaims } from "../../scripts/private-sigstore/issuer.ts";
import { type Ended, runProgram } from "../../scripts/private-sigstore/run.ts";
import { evidenceOf, KeylessScene, WORKFLOW } from "../../scripts/private-sigstore/scene.ts";
import { needTool } from "../../scripts/toolbox/find.ts";
import type { Json } from "../core/canonical-json.ts";
import { EVIDENCE_FOLDER } from "../evidence/files.ts";
import { parseBundle } from "../sign/bundle.ts";
import { type NamedRoot, parseTrustedRoot } from "../sign/trusted-root.ts";
import { verifyBundle } from "../sign/verify-bundle.ts";

const PERSON = "release@example.com";

const scene = new KeylessScene();
after(() => scene.remove());
const waybill = scene.waybill.bind(scene);

describe("keyless signing against a real private Sigstore", { skip: skipPrivateSigstore }, () => {
  let sigstore: PrivateSigstore;
  let root: NamedRoot;
  let rootFile: string;
  let services: string[];

  before(async () => {
    sigstore = await PrivateSigstore.start();
    rootFile = sigstore.write("trusted_root.json", JSON.stringify(sigstore.trustedRoot()));
    const config = sigstore.write("signing_config.json", JSON.stringify(sigstore.signingConfig()));
    services = ["--signing-config", config, "--trusted-root", rootFile];
    root = { name: "private", root: parsedRoot(sigstore.trustedRoot()) };
  });
  after(() => sigstore?.stop());

  /** A release signed by the workflow, as the other tests take it apart. */
  const signedByWorkflow = async (): Promise<{ folder: string; file: string; text: string }> => {
    const folder = await scene.agent();
    const env = { SIGSTORE_ID_TOKEN: sigstore.githubToken() };
    const ended = await waybill(folder, ["sign", "--keyless", ...services, "--format", "json"], env);
    assert.equal(ended.status, 0, ended.err);
    const { file } = JSON.parse(ended.out) as { file: string };
    return { folder, file: join(folder, file), text: readFileSync(join(folder, file), "utf8") };
  };

  test("a GitHub job signs with nothing but the right to ask for a token; the token is shown nowhere", async () => {
    const folder = await scene.agent();
    const token = sigstore.githubToken();
    const asked: string[] = [];
    const github = await scene.serve((request, response) => {
      asked.push(`${request.headers.authorization} ${request.url}`);
      response.setHeader("content-type", "application/json; charset=utf-8");
      response.end(JSON.stringify({ count: 1, value: token }));
    });
    const ended = await waybill(folder, ["sign", "--keyless", ...services, "--format", "json"], {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${github}/token?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "bearer-of-the-job",
    });
    assert.equal(ended.status, 0, ended.err);
    assert.deepEqual(asked, ["Bearer bearer-of-the-job /token?api-version=2.0&audience=sigstore"]);
    const answer = JSON.parse(ended.out) as Record<string, Json>;
    assert.deepEqual(answer.identity, { subject: WORKFLOW, issuer: sigstore.issuer.url("github") });
    assert.equal(evidenceOf(folder).length, 2);
    for (const shown of [
      ended.out,
      ended.err,
      ...evidenceOf(folder).map((name) => readFileSync(join(folder, EVIDENCE_FOLDER, name), "utf8")),
    ])
      for (const secret of [token, token.split(".")[2]!, "bearer-of-the-job"])
        assert.ok(!shown.includes(secret));
  });

  test("a person signs with a token on standard input; one identity replaces its own statement, another does not", async () => {
    const folder = await scene.agent();
    const sign = (token: string) =>
      waybill(folder, ["sign", "--keyless", ...services, "--identity-token", "-"], {}, `${token}\n`);
    const first = await sign(sigstore.personToken(PERSON));
    assert.equal(first.status, 0, first.err);
    assert.match(first.out, /^as +release@example\.com, by http:/m);
    const names = evidenceOf(folder);
    assert.equal((await sign(sigstore.personToken(PERSON))).status, 0);
    assert.deepEqual(evidenceOf(folder), names);
    assert.equal((await sign(sigstore.personToken("other@example.com"))).status, 0);
    assert.equal(evidenceOf(folder).length, 2 * names.length);
  });

  test("the certificate names what the CI's own Fulcio configuration makes of its claims", async () => {
    const gitlab = { SIGSTORE_ID_TOKEN: sigstore.gitlabToken() };
    const folder = await scene.agent();
    const ended = await waybill(folder, ["sign", "--keyless", ...services, "--format", "json"], gitlab);
    assert.equal(ended.status, 0, ended.err);
    assert.deepEqual((JSON.parse(ended.out) as Record<string, Json>).identity, {
      subject: "https://gitlab.com/example-group/support-agent//.gitlab-ci.yml@refs/heads/main",
      issuer: sigstore.issuer.url("gitlab"),
    });
  });

  test("the bundle proves identity, time and log entry, and nothing of it under another root", async () => {
    const { text } = await signedByWorkflow();
    const bundle = parseBundle(text);
    assert.ok(!("problem" in bundle), JSON.stringify(bundle));
    const authority = { roots: [root], findKey: () => undefined, requireLog: true, requireTime: true };
    const established = verifyBundle(bundle, authority);
    assert.ok(!("problem" in established), JSON.stringify(established));
    assert.ok(established.signer.kind === "certificate");
    assert.deepEqual(established.signer.identity.subjects, [WORKFLOW]);
    assert.equal(established.signer.identity.issuer, sigstore.issuer.url("github"));
    assert.equal(established.times[0]!.by, "rfc3161");
    assert.equal(established.logged.length, 1);
    const other = await PrivateSigstore.start();
    try {
      const strange = { name: "other", root: parsedRoot(other.trustedRoot()) };
      assert.ok("problem" in verifyBundle(bundle, { ...authority, roots: [strange] }));
    } finally {
      await other.stop();
    }
  });

  test("a changed log entry, timestamp, certificate, signature or payload is refused", async () => {
    const { text } = await signedByWorkflow();
    const bundle = JSON.parse(text) as {
      verificationMaterial: {
        certificate: { rawBytes: string };
        tlogEntries: { canonicalizedBody: string; inclusionProof: { rootHash: string; logIndex: string } }[];
        timestampVerificationData: { rfc3161Timestamps: { signedTimestamp: string }[] };
      };
      dsseEnvelope: { payload: string; signatures: { sig: string }[] };
    };
    const changes: Record<string, (changed: typeof bundle) => void> = {
      body: ({ verificationMaterial: { tlogEntries } }) => {
        tlogEntries[0]!.canonicalizedBody = flipped(tlogEntries[0]!.canonicalizedBody);
      },
      "root hash": ({ verificationMaterial: { tlogEntries } }) => {
        tlogEntries[0]!.inclusionProof.rootHash = flipped(tlogEntries[0]!.inclusionProof.rootHash);
      },
      index: ({ verificationMaterial: { tlogEntries } }) => {
        tlogEntries[0]!.inclusionProof.logIndex = "99";
      },
      timestamp: ({ verificationMaterial: { timestampVerificationData } }) => {
        const [stamp] = timestampVerificationData.rfc3161Timestamps;
        // Its last byte is the authority's signature's; the middle can be a certificate that it only brings along.
        stamp!.signedTimestamp = flipped(stamp!.signedTimestamp, 1);
      },
      "no timestamp": ({ verificationMaterial: { timestampVerificationData } }) => {
        timestampVerificationData.rfc3161Timestamps = [];
      },
      "no entry": ({ verificationMaterial }) => {
        verificationMaterial.tlogEntries = [];
      },
      certificate: ({ verificationMaterial: { certificate } }) => {
        certificate.rawBytes = flipped(certificate.rawBytes);
      },
      signature: ({ dsseEnvelope: { signatures } }) => {
        signatures[0]!.sig = flipped(signatures[0]!.sig);
      },
      payload: ({ dsseEnvelope }) => {
        dsseEnvelope.payload = flipped(dsseEnvelope.payload);
      },
    };
    for (const [what, change] of Object.entries(changes)) {
      const changed = structuredClone(bundle);
      change(changed);
      const parsed = parseBundle(JSON.stringify(changed));
      if ("problem" in parsed) continue;
      const authority = { roots: [root], findKey: () => undefined, requireLog: true };
      assert.ok("problem" in verifyBundle(parsed, authority), what);
    }
  });

  for (const name of ["cosign2", "cosign3"] as const) {
    const cosign = needTool(name);
    test(`${name} verifies it for its identity, and for nobody else`, { skip: cosign.skip }, async () => {
      const { file, text } = await signedByWorkflow();
      const parsed = parseBundle(text);
      assert.ok(!("problem" in parsed) && parsed.content.kind === "dsse");
      const { subject, predicateType } = JSON.parse(parsed.content.payload.toString("utf8")) as {
        subject: { digest: { sha256: string } }[];
        predicateType: string;
      };
      const verify = (options: { identity?: string; issuer?: string; root?: string; bundle?: string }) =>
        runProgram(
          [
            ...[cosign.path, "verify-blob-attestation", "--new-bundle-format"],
            ...["--bundle", options.bundle ?? file, "--trusted-root", options.root ?? rootFile],
            ...["--certificate-identity", options.identity ?? WORKFLOW],
            ...["--certificate-oidc-issuer", options.issuer ?? sigstore.issuer.url("github")],
            ...["--type", predicateType, "--digest", subject[0]!.digest.sha256, "--digestAlg", "sha256"],
            ...(name === "cosign2" ? ["--use-signed-timestamps"] : []),
          ],
          { env: { HOME: sigstore.folder } },
        );
      const good = await verify({});
      assert.equal(good.status, 0, good.err);
      const empty = { ...(sigstore.trustedRoot() as object), certificateAuthorities: [] };
      const emptyFile = sigstore.write("empty_root.json", JSON.stringify(empty));
      const torn = sigstore.write(
        "torn.json",
        text.replace(/"signedTimestamp":"[^"]+"/, '"signedTimestamp":"MAA="'),
      );
      for (const bad of [
        { identity: `${WORKFLOW}x` },
        { issuer: sigstore.issuer.url("people") },
        { root: emptyFile },
        { bundle: torn },
      ])
        assert.notEqual((await verify(bad)).status, 0, JSON.stringify(bad));
    });
  }

  test("a door lets it in for the identity that trust names, and for no other", async () => {
    const folder = await scene.agent();
    const env = { SIGSTORE_ID_TOKEN: sigstore.githubToken() };
    const policy = (subject: string, issuer = sigstore.issuer.url("github")) => {
      const rule = { agents: ["small"], principals: ["ci"], threshold: 1 };
      return sigstore.write(
        "trust.yaml",
        JSON.stringify({
          waybillTrust: "v1",
          version: 1,
          expires: "2099-01-01T00:00:00Z",
          principals: [{ name: "ci", identities: [{ issuer, subject }] }],
          rules: [
            { evidence: "release", ...rule },
            { evidence: "channel", ...rule },
          ],
          trustedRoots: [{ name: "private", root: sigstore.trustedRoot() }],
          revoked: [],
        }),
      );
    };
    const trust = ["--trust", policy(WORKFLOW)];
    assert.equal((await waybill(folder, ["sign", "--keyless", ...services], env)).status, 0);
    const blind = await waybill(folder, ["channel", "allow", "--keyless", ...services], env);
    assert.match(blind.err, /WB-INPUT-007/);
    for (const number of [1, 2]) {
      const allowed = await waybill(folder, ["channel", "allow", "--keyless", ...services, ...trust], env);
      assert.match(allowed.out, new RegExp(`statement ${number},`), allowed.err);
    }
    const home = () => ({ WAYBILL_HOME: scene.home() });
    const door = async (file: string): Promise<Ended> => waybill(folder, ["verify", "--trust", file], home());
    const good = await door(policy(WORKFLOW));
    assert.equal(good.status, 0, good.out + good.err);
    assert.match(good.out, /signed by ci/);
    assert.equal((await door(policy(WORKFLOW.replace("main", "other")))).status, 1);
    assert.equal((await door(policy(WORKFLOW, sigstore.issuer.url("people")))).status, 1);
  });

  test("a token that is over, of another issuer than asked for, unconfirmed, or none at all is refused before any server is asked", async () => {
    const folder = await scene.agent();
    const { issuer } = sigstore;
    const over = issuer.token("github", { ...githubClaims(), exp: Math.floor(Date.now() / 1000) - 3600 });
    const unconfirmed = issuer.token("people", { ...personClaims(PERSON), email_verified: false });
    const nowhere = [
      "--fulcio-url",
      "http://127.0.0.1:9",
      "--tsa-url",
      "http://127.0.0.1:9",
      "--trusted-root",
      rootFile,
    ];
    const sign = (token: string | undefined, ...more: string[]) =>
      waybill(folder, ["sign", "--keyless", ...nowhere, ...more], token ? { SIGSTORE_ID_TOKEN: token } : {});
    const cases: [Ended, RegExp][] = [
      [await sign(over), /WB-INPUT-020.*expired 60 minutes ago/s],
      [await sign(unconfirmed), /WB-INPUT-020.*not confirmed/s],
      [
        await sign(sigstore.githubToken(), "--oidc-issuer", "https://gitlab.com"),
        /WB-INPUT-020.*not of https:/s,
      ],
      [await sign("nonsense"), /WB-INPUT-020.*not a JWT/s],
      [await sign(undefined), /WB-INPUT-020.*--identity-token/s],
    ];
    for (const [ended, expected] of cases) {
      assert.equal(ended.status, 4);
      assert.match(ended.err, expected);
    }
    assert.deepEqual(evidenceOf(folder), []);
  });

  test("a token that Fulcio refuses says whose it is, and nothing is written", async () => {
    const folder = await scene.agent();
    const { issuer } = sigstore;
    const wrong = issuer.token("github", { ...githubClaims(), aud: "somebody-else" });
    const ended = await waybill(folder, ["sign", "--keyless", ...services], { SIGSTORE_ID_TOKEN: wrong });
    assert.match(ended.err, /WB-NET-003.*repo:example-org\/support-agent.*for\s+somebody-else/s);
    assert.ok(!ended.err.includes(wrong.split(".")[2]!));
    assert.deepEqual(evidenceOf(folder), []);
  });

  test("what does not verify under the given root is not written", async () => {
    const folder = await scene.agent();
    const strange = { ...(sigstore.trustedRoot() as object), timestampAuthorities: [] };
    const file = sigstore.write("no_tsa.json", JSON.stringify(strange));
    const args = ["sign", "--keyless", services[0]!, services[1]!, "--trusted-root", file];
    const ended = await waybill(folder, args, { SIGSTORE_ID_TOKEN: sigstore.githubToken() });
    assert.equal(ended.status, 4);
    assert.match(ended.err, /WB-NET-002.*does not verify under trusted root/s);
    assert.deepEqual(evidenceOf(folder), []);
  });

  test("what @sigstore/sign makes against the same services verifies too", async () => {
    const { DSSEBundleBuilder, FulcioSigner, RekorWitness, TSAWitness } = await import("@sigstore/sign");
    const { bundleToJSON } = await import("@sigstore/bundle");
    const token = sigstore.githubToken();
    const builder = new DSSEBundleBuilder({
      signer: new FulcioSigner({
        fulcioBaseURL: sigstore.fulcioUrl,
        identityProvider: { getToken: async () => token },
      }),
      witnesses: [
        new RekorWitness({ rekorBaseURL: sigstore.rekorUrl, majorApiVersion: 2, timeout: 30_000 }),
        new TSAWitness({ tsaBaseURL: sigstore.tsaUrl }),
      ],
    });
    const statement = {
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: "x", digest: { sha256: "00".repeat(32) } }],
      predicateType: "https://example.com/p",
      predicate: {},
    };
    const made = await builder.create({
      type: "application/vnd.in-toto+json",
      data: Buffer.from(JSON.stringify(statement)),
    });
    const parsed = parseBundle(JSON.stringify(bundleToJSON(made)));
    assert.ok(!("problem" in parsed), JSON.stringify(parsed));
    const established = verifyBundle(parsed, { roots: [root], findKey: () => undefined, requireLog: true });
    assert.ok(!("problem" in established), JSON.stringify(established));
  });
});

test("options that do not fit together are refused before anything is read or asked", async () => {
  const folder = await scene.agent();
  for (const [args, expected] of [
    [["--fulcio-url", "https://fulcio.example.com"], /--keyless/],
    [["--keyless", "--rekor-url", "https://rekor.example.com"], /--fulcio-url/],
    [
      ["--keyless", "--fulcio-url", "https://f.example.com", "--rekor-url", "https://r.example.com"],
      /--tsa-url/,
    ],
    [
      ["--keyless", "--fulcio-url", "https://f.example.com", "--tsa-url", "https://t.example.com"],
      /--trusted-root/,
    ],
    [
      ["--keyless", "--fulcio-url", "https://f.example.com", "--signing-config", "none.json"],
      /signing config/,
    ],
  ] as const) {
    const ended = await waybill(folder, ["sign", ...args]);
    assert.equal(ended.status, 2, ended.err);
    assert.match(ended.err, /WB-INPUT-007/);
    assert.match(ended.err, expected);
  }
});

function parsedRoot(data: Json): NamedRoot["root"] {
  const root = parseTrustedRoot(data);
  assert.ok(!("problem" in root), JSON.stringify(root));
  return root;
}

/** The same base64 text with one bit changed, of its middle or of this byte from its end. */
function flipped(base64: string, fromEnd?: number): string {
  const bytes = Buffer.from(base64, "base64");
  bytes[fromEnd === undefined ? bytes.length >> 1 : bytes.length - fromEnd]! ^= 1;
  return bytes.toString("base64");
}
