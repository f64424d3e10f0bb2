// What several tests of the journal share; it holds no test of its own.
import type { KeyObject } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Envelope, IN_TOTO_PAYLOAD, signEnvelope } from "../sign/dsse.ts";
import { generateKeyPair } from "../sign/keys.ts";

/** A fresh home for a journal, removed at the end of the test. */
export function testHome(t: { after(done: () => void): void }): string {
  const home = mkdtempSync(join(tmpdir(), "waybill-journal-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

/** The payload of a statement; another `id`, another statement. */
export function testStatement(id: string | number): Buffer {
  const subject = [
    { name: "file", digest: { sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" } },
  ];
  return Buffer.from(
    JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject,
      predicateType: "urn:example:test:v1",
      predicate: { id },
    }),
  );
}

/** Signs statements by one key. */
export class TestMaker {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;

  constructor(keys = generateKeyPair()) {
    this.privateKey = keys.privateKey;
    this.publicKey = keys.publicKey;
  }

  sign(payload: Uint8Array): { envelope: Envelope; publicKey: KeyObject } {
    return { envelope: signEnvelope(IN_TOTO_PAYLOAD, payload, this.privateKey), publicKey: this.publicKey };
  }

  statement(id: string | number): { envelope: Envelope; publicKey: KeyObject } {
    return this.sign(testStatement(id));
  }
}
