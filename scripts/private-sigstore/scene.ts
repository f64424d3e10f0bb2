import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EVIDENCE_FOLDER } from "../../src/evidence/files.ts";
import { lockFolder } from "../../src/flows/lock.ts";
import { type Ended, runProgram } from "./run.ts";

const BIN = join(import.meta.dirname, "../../bin/waybill.js");

/** The subject of certificates for the usual GitHub job. */
export const WORKFLOW =
  "https://github.com/example-org/support-agent/.github/workflows/release.yml@refs/heads/main";

/** Folders and servers of tests of keyless signing, gone with `remove()`. */
export class KeylessScene {
  readonly folder = mkdtempSync(join(tmpdir(), "waybill-keyless-"));
  private readonly servers: Server[] = [];

  remove(): void {
    for (const server of this.servers) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A locked agent with code and a model. */
  async agent(): Promise<string> {
    const folder = mkdtempSync(join(this.folder, "agent-"));
    mkdirSync(join(folder, "model"));
    writeFileSync(
      join(folder, "waybill.yaml"),
      "waybill: v1\nagent: small\ncomponents:\n  - {kind: code, name: c, path: main.js}\n  - {kind: model, name: m, path: model}\nstart: {command: [node, main.js]}\n",
    );
    writeFileSync(join(folder, "main.js"), "1;\n");
    writeFileSync(join(folder, "model/weights.bin"), Buffer.alloc(1000, 7));
    await lockFolder(folder, {});
    return folder;
  }

  /** An empty home. */
  home(): string {
    return mkdtempSync(join(this.folder, "home-"));
  }

  /** Runs a command of Waybill on an agent, with none of this machine's CI in its environment. */
  waybill(
    agent: string,
    args: readonly string[],
    env: Record<string, string> = {},
    input?: string,
  ): Promise<Ended> {
    return runProgram([process.execPath, BIN, ...args, "--dir", agent], {
      env: {
        ...{ SIGSTORE_ID_TOKEN: undefined, GITHUB_ACTIONS: undefined, GITLAB_CI: undefined },
        ...{ ACTIONS_ID_TOKEN_REQUEST_URL: undefined, ACTIONS_ID_TOKEN_REQUEST_TOKEN: undefined },
        WAYBILL_HOME: join(this.folder, "home"),
        ...env,
      },
      ...(input === undefined ? {} : { input }),
    });
  }

  /** A server of the test's own on loopback; gives its address. */
  async serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    this.servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
}

/** Names of an agent's evidence files, sorted. */
export function evidenceOf(agent: string): string[] {
  try {
    return readdirSync(join(agent, EVIDENCE_FOLDER)).toSorted();
  } catch {
    return [];
  }
}
