import { hash } from "node:crypto";
import type { Certificate } from "./certificate.ts";
import { childrenOf, DerError, oidOf, readDer, TAG } from "./der.ts";
import { covers, type LogAuthority } from "./trusted-root.ts";
import { verifySignature } from "./verify-signature.ts";

// Signed certificate timestamps (RFC 6962 §3): a certificate transparency log's promise to publish a certificate.

const SCT_LIST = "1.3.6.1.4.1.11129.2.4.2";

interface Sct {
  logId: Buffer;
  /** Milliseconds since 1970, and the eight bytes of it. */
  at: number;
  time: Buffer;
  extensions: Buffer;
  signature: Buffer;
}

/**
 * Verifies the SCTs that are embedded in a certificate: at least one must be by a trusted log, and each by a
 * trusted log must be valid. SCTs of unknown logs are not counted.
 *
 * @param issuer who signed the certificate, of its verified path: the log signs over the issuer's key
 * @returns null, or the reason
 */
export function checkScts(
  certificate: Certificate,
  issuer: Certificate,
  logs: readonly LogAuthority[],
): string | null {
  const extension = certificate.extensions.get(SCT_LIST);
  if (extension === undefined) return "the certificate carries no SCT";
  try {
    const tbs = withoutScts(certificate);
    const seen = new Set<string>();
    for (const sct of readList(readDer(extension.value, TAG.octetString).content)) {
      const named = logs.filter((log) => log.logId.equals(sct.logId));
      if (named.length === 0) continue;
      const valid = named.filter((log) => covers(log, sct.at));
      if (valid.length === 0) return "an SCT is of a time at which its log was not trusted";
      const signed = Buffer.concat([
        Buffer.from([0, 0]),
        sct.time,
        Buffer.from([0, 1]),
        hash("sha256", issuer.spki, "buffer"),
        uint(tbs.length, 3),
        tbs,
        uint(sct.extensions.length, 2),
        sct.extensions,
      ]);
      if (!valid.some((log) => verifySignature(signed, sct.signature, log.publicKey) === null))
        return "an SCT's signature is invalid";
      seen.add(sct.logId.toString("hex"));
    }
    return seen.size > 0 ? null : "no SCT is of a trusted log";
  } catch (error) {
    return `its SCTs are malformed: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The signed part of the certificate as the log saw it: without the list of SCTs (RFC 6962 §3.2). */
function withoutScts({ tbs }: Certificate): Buffer {
  const kept = tbs.extensions.filter((each) => oidOf(childrenOf(each)[0]) !== SCT_LIST);
  const list = encode(TAG.sequence, Buffer.concat(kept.map((each) => each.raw)));
  const fields = tbs.fields.map((field) => (field.tag === 0xa3 ? encode(0xa3, list) : field.raw));
  return encode(TAG.sequence, Buffer.concat(fields));
}

function encode(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes = length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes]), uint(length, bytes), content]);
}

function uint(value: number, bytes: number): Buffer {
  const out = Buffer.alloc(bytes);
  out.writeUIntBE(value, 0, bytes);
  return out;
}

/** SignedCertificateTimestampList (RFC 6962 §3.3), TLS presentation language. */
function readList(bytes: Buffer): Sct[] {
  const found: Sct[] = [];
  const all = new Reader(bytes);
  const list = new Reader(all.vector(2));
  all.end();
  while (!list.done()) {
    if (found.length === 16) throw new DerError("more than 16 SCTs");
    const sct = new Reader(list.vector(2));
    if (sct.take(1)[0] !== 0) continue;
    const logId = sct.take(32);
    const time = sct.take(8);
    const extensions = sct.vector(2);
    const [digest, scheme] = sct.take(2);
    // RFC 6962 §2.1.4: SHA-256 with ECDSA on P-256 or RSA.
    if (digest !== 4 || (scheme !== 3 && scheme !== 1))
      throw new DerError("a signature algorithm that logs do not have");
    const signature = sct.vector(2);
    sct.end();
    const at = Number(time.readBigUInt64BE());
    found.push({ logId, at, time, extensions, signature });
  }
  return found;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) throw new DerError("cut off");
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  vector(lengthBytes: number): Buffer {
    return this.take(this.take(lengthBytes).readUIntBE(0, lengthBytes));
  }

  done(): boolean {
    return this.#at === this.#bytes.length;
  }

  end(): void {
    if (!this.done()) throw new DerError("bytes after an SCT");
  }
}
