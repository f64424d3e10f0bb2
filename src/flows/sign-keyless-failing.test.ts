import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { PrivateSigstore, skipPrivateSigstore } from "../../scripts/private-sigstore/fixture.ts";
import { evidenceOf, KeylessScene } from "../../scripts/private-sigstore/scene.ts";
import { HttpClient } from "../net/http.ts";
import { signFolder } from "./sign.ts";
import { openKeyless } from "./sign-keyless.ts";

const scene = new KeylessScene();
after(() => scene.remove());

describe("a service that answers badly", { skip: skipPrivateSigstore }, () => {
  let sigstore: PrivateSigstore;
  let rootFile: string;
  before(async () => {
    sigstore = await PrivateSigstore.start();
    rootFile = sigstore.write("trusted_root.json", JSON.stringify(sigstore.trustedRoot()));
  });
  after(() => sigstore?.stop());

  const FAST = { attempts: 1, headersMs: 500 };

  /** Signs with one service replaced; gives the error. */
  const signWith = async (service: "fulcioUrl" | "rekorUrl" | "tsaUrl", url: string) => {
    const folder = await scene.agent();
    const usual = { fulcioUrl: sigstore.fulcioUrl, rekorUrl: sigstore.rekorUrl, tsaUrl: sigstore.tsaUrl };
    const options = { ...usual, [service]: url, token: sigstore.githubToken(), trustedRoot: rootFile };
    const world = { env: {}, now: () => new Date(), http: new HttpClient(FAST) };
    const error = await openKeyless(options, world)
      .then((signer) => signFolder(folder, signer))
      .then(
        () => assert.fail("it signed"),
        (reason: unknown) => reason as { code: string; message: string },
      );
    assert.deepEqual(evidenceOf(folder), []);
    return error;
  };

  for (const service of ["fulcioUrl", "rekorUrl", "tsaUrl"] as const) {
    test(`${service}: down, a web page, an empty object, an endless body, silence, plain http elsewhere`, async () => {
      assert.equal((await signWith(service, "http://127.0.0.1:9")).code, "WB-NET-001");
      const page = await scene.serve((_request, response) => {
        response.setHeader("content-type", "text/html");
        response.end("<!doctype html><title>Sign in</title>");
      });
      assert.equal((await signWith(service, page)).code, "WB-NET-002");
      const type = service === "tsaUrl" ? "application/timestamp-reply" : "application/json";
      const hollow = await scene.serve((_request, response) => {
        response.setHeader("content-type", type);
        response.end("{}");
      });
      assert.equal((await signWith(service, hollow)).code, "WB-NET-002");
      let sent = 0;
      const endless = await scene.serve((_request, response) => {
        response.setHeader("content-type", type);
        const chunk = Buffer.alloc(65_536, 0x20);
        const more = () => {
          while (!response.destroyed && response.write(chunk)) sent += chunk.length;
          if (!response.destroyed) response.once("drain", more);
        };
        more();
      });
      assert.equal((await signWith(service, endless)).code, "WB-NET-004");
      assert.ok(sent < 64 << 20, `${sent} bytes were taken`);
      const silent = await scene.serve(() => {});
      assert.equal((await signWith(service, silent)).code, "WB-NET-001");
      assert.equal((await signWith(service, "http://sigstore.example.com")).code, "WB-NET-006");
      const away = await scene.serve((_request, response) => {
        response.writeHead(307, { location: "http://127.0.0.1:9/elsewhere" }).end();
      });
      assert.equal((await signWith(service, away)).code, "WB-NET-002");
    });
  }

  test("a Fulcio that quotes the token back does not get it into the message", async () => {
    let token = "";
    const quoting = await scene.serve(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const asked = JSON.parse(Buffer.concat(chunks).toString()) as {
        credentials: { oidcIdentityToken: string };
      };
      token = asked.credentials.oidcIdentityToken;
      response.writeHead(401, { "content-type": "application/json" });
      response.end(JSON.stringify({ message: `bad: ${token.split(".")[0]}` }));
    });
    const error = await signWith("fulcioUrl", quoting);
    assert.equal(error.code, "WB-NET-003");
    assert.match(error.message, /bad: …/);
    assert.ok(!error.message.includes(token.split(".")[0]!));
  });

  test("a certificate for another key is refused", async () => {
    const recorded = await scene.serve(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const asked = JSON.parse(Buffer.concat(chunks).toString()) as {
        credentials: { oidcIdentityToken: string };
        publicKeyRequest: { publicKey: { content: string }; proofOfPossession: string };
      };
      const { sub } = JSON.parse(
        Buffer.from(asked.credentials.oidcIdentityToken.split(".")[1]!, "base64url").toString(),
      ) as { sub: string };
      asked.publicKeyRequest.publicKey.content = other.publicKey.export({
        type: "spki",
        format: "pem",
      }) as string;
      asked.publicKeyRequest.proofOfPossession = sign("sha256", Buffer.from(sub), other.privateKey).toString(
        "base64",
      );
      const real = await fetch(`${sigstore.fulcioUrl}/api/v2/signingCert`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(asked),
      });
      response.writeHead(real.status, { "content-type": "application/json" });
      response.end(await real.text());
    });
    const error = await signWith("fulcioUrl", recorded);
    assert.equal(error.code, "WB-NET-002");
    assert.match(error.message, /another key/);
  });
});
