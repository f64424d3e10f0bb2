import { createHash, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Json } from "../../src/core/canonical-json.ts";
import { needTools } from "../toolbox/find.ts";
import { type Issued, issue, toPem } from "./certificate.ts";
import { CtLog } from "./ct-log.ts";
import { fulcioConfig } from "./fulcio-config.ts";
import { githubClaims, gitlabClaims, Issuer, personClaims } from "./issuer.ts";
import { ownNetwork, relayTo } from "./own-network.ts";
import { freePorts, type RunningServer, startServer } from "./server.ts";

/** The checkpoint's origin: clients expect the host of the log's URL. */
const ORIGIN = "127.0.0.1";

const { paths, skip } = needTools("fulcio", "rekor-server", "timestamp-server");

/** What to give node:test as `skip`: false where the private Sigstore can run. */
export const skipPrivateSigstore = skip;

interface Ports {
  fulcio: number;
  rekor: number;
  tsa: number;
}

/**
 * A whole Sigstore on loopback: real Fulcio, Rekor v2 and timestamp authority with keys of their own, and an OpenID
 * Connect issuer and the half of a certificate transparency log that Fulcio needs. Everything lies in one temporary folder and goes with
 * `stop()`. Issuer and that log run in this process: run clients asynchronously, never by spawnSync. Fulcio's metrics port is on every interface; it has no switch for that.
 */
export class PrivateSigstore {
  readonly issuer = new Issuer();
  readonly folder = mkdtempSync(join(tmpdir(), "waybill-private-sigstore-"));
  private readonly authority: Issued = issue({ name: "fulcio", pathLength: 0, purpose: "codeSigning" });
  private readonly ctLog = new CtLog(this.authority);
  private readonly logKey = generateKeyPairSync("ed25519");
  private readonly timestamping: readonly Issued[] = timestampChain();
  private readonly since = new Date(Date.now() - 60_000).toISOString();
  private ports: Ports = { fulcio: 0, rekor: 0, tsa: 0 };
  private servers: RunningServer[] = [];
  private relay: Server | undefined;

  /**
   * Starts all of it; about a second.
   *
   * @throws Error with the output of the server that did not start; everything is stopped again
   */
  static async start(): Promise<PrivateSigstore> {
    const made = new PrivateSigstore();
    try {
      await made.issuer.start();
      await made.ctLog.start();
      // A port can be taken between choosing and listening: once more with others.
      await made.startServers("1").catch(() => made.startServers("2"));
      return made;
    } catch (error) {
      await made.stop();
      throw error;
    }
  }

  private async startServers(attempt: string): Promise<void> {
    await this.stopServers();
    const ports = await freePorts(6);
    const [fulcio, grpc, metrics, rekor, rekorGrpc, rekorMetrics] = ports as [
      ...[number, number, number],
      ...[number, number, number],
    ];
    const tsaSocket = join(this.folder, `tsa.${attempt}.sock`);
    const relay = await relayTo(tsaSocket);
    this.relay = relay.server;
    this.ports = { fulcio, rekor, tsa: relay.port };
    const password = randomBytes(16).toString("hex");
    const caKey = this.write("ca.key", encrypted(this.authority.privateKey, password));
    const tsaKey = this.write("tsa.key", encrypted(this.timestamping[0]!.privateKey, password));
    const logKey = this.write("rekor.pem", this.logKey.privateKey.export({ type: "pkcs8", format: "pem" }));
    const started = await Promise.allSettled([
      this.server("fulcio", fulcio, [
        ...[paths.fulcio, "serve", "--host", "127.0.0.1", "--port", `${fulcio}`, "--ca", "fileca"],
        ...["--grpc-host", "127.0.0.1", "--grpc-port", `${grpc}`, "--metrics-port", `${metrics}`],
        ...["--fileca-cert", this.write("ca.pem", toPem(this.authority.certificate)), "--fileca-key", caKey],
        ...["--fileca-key-passwd", password, "--fileca-watch=false", `--ct-log-url=${this.ctLog.url}`],
        ...["--config-path", this.write("fulcio.yaml", fulcioConfig(this.issuer))],
        ...["--legacy-unix-domain-socket", join(this.folder, `fulcio.${attempt}.sock`)],
      ]),
      this.server("rekor", rekor, [
        ...[paths["rekor-server"], "serve", "--http-address", "127.0.0.1", "--http-port", `${rekor}`],
        ...["--grpc-port", `${rekorGrpc}`, "--http-metrics-port", `${rekorMetrics}`, "--hostname", ORIGIN],
        ...["--storage-dir", join(this.folder, `log.${attempt}`), "--signer-filepath", logKey],
        ...["--checkpoint-interval", "100ms", "--batch-max-age", "200ms", "--persistent-antispam=true"],
      ]),
      // Its metrics are on port 2112 of every interface, always: in a network of its own two of them can run.
      this.server("tsa", tsaSocket, [
        ...[...ownNetwork(), paths["timestamp-server"], "serve", "--scheme", "unix"],
        ...["--socket-path", tsaSocket],
        ...["--timestamp-signer", "file", "--file-signer-key-path", tsaKey, "--file-signer-passwd", password],
        ...["--certificate-chain-path", this.write("tsa-chain.pem", this.timestampPem())],
        "--disable-ntp-monitoring",
      ]),
    ]);
    this.servers = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const failed = started.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
  }

  /** Stops every server and removes the folder. */
  async stop(): Promise<void> {
    await this.stopServers();
    await this.issuer.stop();
    await this.ctLog.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get fulcioUrl(): string {
    return `http://127.0.0.1:${this.ports.fulcio}`;
  }

  get rekorUrl(): string {
    return `http://127.0.0.1:${this.ports.rekor}`;
  }

  /** The full address that timestamp queries are posted to. */
  get tsaUrl(): string {
    return `http://127.0.0.1:${this.ports.tsa}/api/v1/timestamp`;
  }

  /** A token of somebody with this e-mail address. */
  personToken(email: string): string {
    return this.issuer.token("people", personClaims(email));
  }

  /** A token of a GitHub Actions job. */
  githubToken(...job: Parameters<typeof githubClaims>): string {
    return this.issuer.token("github", githubClaims(...job));
  }

  /** A token of a GitLab job. */
  gitlabToken(...job: Parameters<typeof gitlabClaims>): string {
    return this.issuer.token("gitlab", gitlabClaims(...job));
  }

  /** Sigstore's trusted_root.json (protobuf-specs, sigstore_trustroot.proto) of this instance. */
  trustedRoot(): Json {
    const publicKey = this.logKey.publicKey.export({ type: "spki", format: "der" });
    const chain = (...issued: readonly Issued[]): Json => ({
      certificates: issued.map(({ certificate }) => ({ rawBytes: certificate.toString("base64") })),
    });
    const log = (baseUrl: string, key: Buffer, keyDetails: string) => ({
      baseUrl,
      hashAlgorithm: "SHA2_256",
      publicKey: { rawBytes: key.toString("base64"), keyDetails, validFor: { start: this.since } },
    });
    const authority = (name: string, uri: string, ...issued: readonly Issued[]): Json => ({
      subject: { organization: "private sigstore", commonName: name },
      uri,
      certChain: chain(...issued),
      validFor: { start: this.since },
    });
    return {
      mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
      tlogs: [
        {
          ...log(this.rekorUrl, publicKey, "PKIX_ED25519"),
          logId: { keyId: logId(publicKey).toString("base64") },
        },
      ],
      certificateAuthorities: [authority("fulcio", this.fulcioUrl, this.authority)],
      ctlogs: [
        {
          ...log(this.ctLog.url, this.ctLog.publicKey, "PKIX_ECDSA_P256_SHA_256"),
          logId: { keyId: this.ctLog.logId.toString("base64") },
        },
      ],
      timestampAuthorities: [authority("timestamp authority", this.tsaUrl, ...this.timestamping)],
    };
  }

  /** Sigstore's signing_config.json (sigstore_trustroot.proto, SigningConfig v0.2) of this instance. */
  signingConfig(): Json {
    const service = (url: string, majorApiVersion: number): Json => ({
      url,
      majorApiVersion,
      validFor: { start: this.since },
      operator: "private sigstore",
    });
    return {
      mediaType: "application/vnd.dev.sigstore.signingconfig.v0.2+json",
      caUrls: [service(this.fulcioUrl, 1)],
      oidcUrls: [service(this.issuer.url("people"), 1)],
      rekorTlogUrls: [service(this.rekorUrl, 2)],
      rekorTlogConfig: { selector: "ANY" },
      tsaUrls: [service(this.tsaUrl, 1)],
      tsaConfig: { selector: "ANY" },
    };
  }

  /** Writes a file into the instance's folder; gives its path. */
  write(name: string, content: string | Buffer): string {
    mkdirSync(this.folder, { recursive: true });
    const path = join(this.folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }

  private server(name: string, at: number | string, words: readonly string[]): Promise<RunningServer> {
    return startServer(words, { at, log: join(this.folder, `${name}.log`), cwd: this.folder });
  }

  private async stopServers(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
    this.servers = [];
    this.relay?.close();
    this.relay = undefined;
  }

  private timestampPem(): string {
    return toPem(...this.timestamping.map(({ certificate }) => certificate));
  }
}

/** Leaf, intermediate, root. */
function timestampChain(): Issued[] {
  const root = issue({ name: "timestamp root", pathLength: 1 });
  const between = issue({
    name: "timestamp intermediate",
    by: root,
    pathLength: 0,
    purpose: "timeStamping",
  });
  return [issue({ name: "timestamp signer", by: between, purpose: "timeStamping" }), between, root];
}

/** The C2SP signed-note key id of the log, all 32 bytes of it: SHA-256(origin, LF, 0x01, raw key). */
function logId(spki: Buffer): Buffer {
  return createHash("sha256").update(`${ORIGIN}\n\x01`).update(spki.subarray(-32)).digest();
}

function encrypted(key: KeyObject, passphrase: string): string {
  return key.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase }) as string;
}
