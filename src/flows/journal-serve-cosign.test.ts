import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { PrivateSigstore, skipPrivateSigstore } from "../../scripts/private-sigstore/fixture.ts";
import { type Ended, runProgram } from "../../scripts/private-sigstore/run.ts";
import { needTool } from "../../scripts/toolbox/find.ts";
import type { Json } from "../core/canonical-json.ts";
import { fsckJournal, type JournalReport } from "../journal/fsck.ts";
import { freshFolder, Maker, served, trustOf } from "./journal-serve-scene.test.ts";
import { uploadBundles } from "./journal-upload.ts";
import { operatorKeys } from "./operator-keys.ts";

const BIN = join(import.meta.dirname, "../../bin/waybill.js");
const TYPE = "https://example.com/reviewed/v1";
const START = "start-time=2024-01-01T00:00:00Z,operator=example";
const [cosign2, cosign3] = [needTool("cosign2"), needTool("cosign3")];

/** A folder in which cosign finds a key, a file and a predicate, and nothing of this user. */
class Desk {
  readonly folder: string;
  readonly env: Record<string, string>;

  constructor(t: TestContext) {
    this.folder = freshFolder(t);
    this.env = { HOME: this.folder, TUF_ROOT: this.folder, COSIGN_PASSWORD: "" };
    this.write("file", "hello\n");
    this.write("predicate.json", '{"by":"two people"}');
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): string {
    writeFileSync(this.path(name), text);
    return this.path(name);
  }

  run(...words: string[]): Promise<Ended> {
    return runProgram(words, { env: this.env, cwd: this.folder });
  }

  async good(...words: string[]): Promise<Ended> {
    const ended = await this.run(...words);
    assert.equal(ended.status, 0, `${words.slice(1).join(" ")}\n${ended.out}${ended.err}`);
    return ended;
  }

  /** A key pair of cosign's own; gives the public half in PEM. */
  async key(): Promise<string> {
    await this.good(cosign3.path, "generate-key-pair");
    return readFileSync(this.path("cosign.pub"), "utf8");
  }

  /** The signing configuration that names a served journal as the log. */
  async config(url: string, ...more: string[]): Promise<string> {
    const rekor = `--rekor=url=${url},api-version=2,${START}`;
    await this.good(
      ...[cosign3.path, "signing-config", "create", rekor, "--rekor-config=ANY", ...more],
      ...["--out", "config.json"],
    );
    return "config.json";
  }
}

function fsck({ home, folder }: { home: string; folder: string }): Promise<JournalReport> {
  return fsckJournal(folder, { operators: operatorKeys(home) });
}

test("cosign 3 logs into a served journal by a key and verifies what comes of it, as Waybill does; once uploaded an entry is like any other", {
  skip: cosign3.skip,
  timeout: 180_000,
}, async (t) => {
  const desk = new Desk(t);
  const pem = await desk.key();
  const journal = await served(t, { trust: trustOf({ ci: [{ publicKey: pem }] }) });
  const root = join(journal.folder, "trusted_root.json");
  const config = await desk.config(journal.url);
  const sign = ["--key", "cosign.key", "--signing-config", config, "--trusted-root", root, "--yes"];
  const check = ["--key", "cosign.pub", "--trusted-root", root];
  await desk.good(cosign3.path, "sign-blob", ...sign, "--bundle", "blob.json", "file");
  await desk.good(cosign3.path, "verify-blob", ...check, "--bundle", "blob.json", "file");
  const attest = ["--predicate", "predicate.json", "--type", TYPE];
  await desk.good(cosign3.path, "attest-blob", ...sign, ...attest, "--bundle", "attested.json", "file");
  const attested = [...check, "--type", TYPE, "--bundle", "attested.json", "file"];
  await desk.good(cosign3.path, "verify-blob-attestation", ...attested);
  for (const bundle of ["blob.json", "attested.json"]) {
    const ended = await desk.good(
      ...[process.execPath, BIN, "verify", bundle, "--key", "cosign.pub", "--trusted-root", root],
      ...["--require-log", "--artifact", "file", "--format", "json"],
    );
    assert.equal((JSON.parse(ended.out) as { logged: unknown[] }[])[0]!.logged.length, 1);
  }
  await journal.close();
  const before = await fsck(journal);
  assert.deepEqual([before.findings, before.external.length], [[], 2]);
  const [uploaded] = await uploadBundles(journal.home, [desk.path("attested.json")]);
  assert.equal(uploaded!.known, false);
  const [again] = await uploadBundles(journal.home, [desk.path("attested.json")]);
  assert.equal(again!.known, true);
  const later = await fsck(journal);
  assert.deepEqual([later.findings, later.external.length, later.verified], [[], 1, before.verified + 1]);
  await assert.rejects(uploadBundles(journal.home, [desk.path("blob.json")]), { code: "WB-INPUT-006" });
});

test("a stranger's cosign is told that trust does not name its key", { skip: cosign3.skip }, async (t) => {
  const desk = new Desk(t);
  await desk.key();
  const journal = await served(t, { trust: trustOf({ ci: [{ publicKey: new Maker().pem }] }) });
  const root = join(journal.folder, "trusted_root.json");
  const config = await desk.config(journal.url);
  const ended = await desk.run(
    ...[cosign3.path, "sign-blob", "--key", "cosign.key", "--signing-config", config],
    ...["--trusted-root", root, "--yes", "--bundle", "b.json", "file"],
  );
  assert.notEqual(ended.status, 0);
  assert.match(ended.err, /403 .*trust names no such key/);
});

test("cosign 2.6 logs signatures over files; its attestations come as another kind of entry and are refused with a reason", {
  skip: cosign2.skip || cosign3.skip,
  timeout: 120_000,
}, async (t) => {
  const desk = new Desk(t);
  const pem = await desk.key();
  const journal = await served(t, { trust: trustOf({ ci: [{ publicKey: pem }] }) });
  const root = join(journal.folder, "trusted_root.json");
  const config = await desk.config(journal.url);
  const sign = ["--key", "cosign.key", "--signing-config", config, "--trusted-root", root, "--yes"];
  await desk.good(cosign2.path, "sign-blob", ...sign, "--new-bundle-format", "--bundle", "blob.json", "file");
  const check = ["--key", "cosign.pub", "--trusted-root", root, "--new-bundle-format"];
  await desk.good(cosign2.path, "verify-blob", ...check, "--bundle", "blob.json", "file");
  const attest = [
    "--predicate",
    "predicate.json",
    "--type",
    TYPE,
    "--new-bundle-format",
    "--bundle",
    "a.json",
  ];
  const refused = await desk.run(cosign2.path, "attest-blob", ...sign, ...attest, "file");
  assert.notEqual(refused.status, 0);
  assert.match(refused.err, /400 .*dsseRequestV002 is not taken/);
});

describe("with certificates of a private Fulcio", { skip: skipPrivateSigstore || cosign3.skip }, () => {
  let sigstore: PrivateSigstore;
  before(async () => {
    sigstore = await PrivateSigstore.start();
  });
  after(() => sigstore?.stop());

  test("cosign 3 logs keyless into a served journal for the identity that trust names, and for no other", {
    timeout: 180_000,
  }, async (t) => {
    const desk = new Desk(t);
    const authorities = sigstore.trustedRoot() as Record<string, Json>;
    const issuer = sigstore.issuer.url("people");
    const subject = "release@example.com";
    const trust = trustOf(
      {},
      {
        principals: [{ name: "ci", identities: [{ issuer, subject }] }],
        trustedRoots: [{ name: "private", root: authorities }],
      },
    );
    const journal = await served(t, { trust });
    const { tlogs } = JSON.parse(readFileSync(join(journal.folder, "trusted_root.json"), "utf8")) as {
      tlogs: Json;
    };
    const root = desk.write("root.json", JSON.stringify({ ...authorities, tlogs }));
    const config = await desk.config(
      journal.url,
      `--fulcio=url=${sigstore.fulcioUrl},api-version=1,${START}`,
      ...[`--tsa=url=${sigstore.tsaUrl},api-version=1,${START}`, "--tsa-config=ANY"],
    );
    const attest = (token: string, bundle: string) =>
      desk.run(
        ...[cosign3.path, "attest-blob", "--identity-token", token, "--signing-config", config],
        ...["--trusted-root", root, "--predicate", "predicate.json", "--type", TYPE, "--yes"],
        ...["--bundle", bundle, "file"],
      );
    const ended = await attest(sigstore.personToken(subject), "bundle.json");
    assert.equal(ended.status, 0, ended.err);
    const identity = ["--certificate-identity", subject, "--certificate-oidc-issuer", issuer];
    const check = ["--trusted-root", root, "--type", TYPE, "--bundle", "bundle.json", "file"];
    await desk.good(cosign3.path, "verify-blob-attestation", ...identity, ...check);
    await desk.good(
      ...[process.execPath, BIN, "verify", "bundle.json", "--identity", subject, "--issuer", issuer],
      ...["--trusted-root", root, "--require-log", "--artifact", "file"],
    );
    const stranger = await attest(sigstore.personToken("stranger@example.com"), "other.json");
    assert.notEqual(stranger.status, 0);
    assert.match(stranger.err, /403 .*trust names no identity stranger@example\.com/);
    await journal.close();
    assert.equal((await fsck(journal)).external.length, 1);
    await uploadBundles(journal.home, [desk.path("bundle.json")]);
    const report = await fsck(journal);
    assert.deepEqual([report.findings, report.external], [[], []]);
  });

  test("a certificate of an authority that trust does not name, or at another time than its own, is refused", async (t) => {
    const desk = new Desk(t);
    const issuer = sigstore.issuer.url("people");
    const subject = "release@example.com";
    const policy = (root: Json) =>
      trustOf(
        {},
        {
          principals: [{ name: "ci", identities: [{ issuer, subject }] }],
          trustedRoots: [{ name: "private", root }],
        },
      );
    const other = await PrivateSigstore.start();
    t.after(() => other.stop());
    const foreign = await served(t, { trust: policy(other.trustedRoot()) });
    let now = new Date(Date.now() + 3_600_000);
    const late = await served(t, { trust: policy(sigstore.trustedRoot()), now: () => now });
    for (const [journal, message] of [
      [foreign, /403 .*no trusted authority issued its certificate|403 .*certificate/],
      [late, /403 .*valid from/],
    ] as const) {
      const { tlogs } = JSON.parse(readFileSync(join(journal.folder, "trusted_root.json"), "utf8")) as {
        tlogs: Json;
      };
      const root = desk.write("root.json", JSON.stringify({ ...(sigstore.trustedRoot() as object), tlogs }));
      const config = await desk.config(
        journal.url,
        `--fulcio=url=${sigstore.fulcioUrl},api-version=1,${START}`,
        ...[`--tsa=url=${sigstore.tsaUrl},api-version=1,${START}`, "--tsa-config=ANY"],
      );
      const ended = await desk.run(
        ...[cosign3.path, "sign-blob", "--identity-token", sigstore.personToken(subject)],
        ...["--signing-config", config, "--trusted-root", root, "--yes", "--bundle", "b.json", "file"],
      );
      assert.notEqual(ended.status, 0);
      assert.match(ended.err, message);
    }
    now = new Date();
  });
});
