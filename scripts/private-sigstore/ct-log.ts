import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { childrenOf, oidOf, readDer, TAG } from "../../src/sign/der.ts";
import type { Issued } from "./certificate.ts";
import { der, sequence } from "./der.ts";

const POISON = "1.3.6.1.4.1.11129.2.4.3";

/**
 * The part of a certificate transparency log that an authority talks to (RFC 6962 §4.2, add-pre-chain): it promises to
 * publish and publishes nothing. What it signs is checked by Fulcio and by every client of its certificates.
 */
export class CtLog {
  private readonly server: Server;
  private readonly key = generateKeyPairSync("ec", { namedCurve: "P-256" });
  private port = 0;

  constructor(authority: Issued) {
    const issuer = authority.publicKey.export({ type: "spki", format: "der" });
    this.server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const good = request.method === "POST" && request.url === "/ct/v1/add-pre-chain";
      const { chain } = JSON.parse(good ? Buffer.concat(chunks).toString("utf8") : '{"chain":[]}') as {
        chain: string[];
      };
      response.writeHead(good ? 200 : 404, { "content-type": "application/json" });
      response.end(JSON.stringify(good ? this.promise(Buffer.from(chain[0] ?? "", "base64"), issuer) : {}));
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once("error", reject).listen(0, "127.0.0.1", resolve);
    });
    this.port = (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** SubjectPublicKeyInfo in DER. */
  get publicKey(): Buffer {
    return this.key.publicKey.export({ type: "spki", format: "der" });
  }

  get logId(): Buffer {
    return sha256(this.publicKey);
  }

  /** A signed certificate timestamp over a precertificate (RFC 6962 §3.2), as add-pre-chain answers. */
  private promise(precertificate: Buffer, issuer: Buffer): object {
    const timestamp = Date.now();
    const time = Buffer.alloc(8);
    time.writeBigUInt64BE(BigInt(timestamp));
    const tbs = withoutPoison(precertificate);
    const entry = [Buffer.from([0, 0]), time, Buffer.from([0, 1]), sha256(issuer), uint(tbs.length, 3), tbs];
    const signature = sign("sha256", Buffer.concat([...entry, uint(0, 2)]), this.key.privateKey);
    return {
      sct_version: 0,
      id: this.logId.toString("base64"),
      timestamp,
      extensions: "",
      // TLS's DigitallySigned: SHA-256, ECDSA.
      signature: Buffer.concat([Buffer.from([4, 3]), uint(signature.length, 2), signature]).toString(
        "base64",
      ),
    };
  }
}

/** The signed part of a precertificate without the extension that makes it one. */
function withoutPoison(precertificate: Buffer): Buffer {
  const [tbs] = childrenOf(readDer(precertificate, TAG.sequence));
  const fields = childrenOf(tbs!).map((field) => {
    if (field.tag !== 0xa3) return field.raw;
    const kept = childrenOf(childrenOf(field)[0]!).filter((each) => oidOf(childrenOf(each)[0]) !== POISON);
    return der(0xa3, sequence(...kept.map(({ raw }) => raw)));
  });
  return sequence(...fields);
}

function sha256(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function uint(value: number, bytes: number): Buffer {
  const out = Buffer.alloc(bytes);
  out.writeUIntBE(value, 0, bytes);
  return out;
}
