// Signs a channel statement that `waybill channel allow` would not make: make-channel.ts SEQ EXPIRES [RELEASE…]
import { readFileSync } from "node:fs";
import { parseLock } from "../../src/core/lock.ts";
import { makeChannelStatement } from "../../src/evidence/channel.ts";
import { evidenceFileName } from "../../src/evidence/files.ts";
import { encodeStatement } from "../../src/evidence/statement.ts";
import { waybillHome } from "../../src/flows/home.ts";
import { writeBundle } from "../../src/flows/sign.ts";
import { makeKeyBundle } from "../../src/sign/bundle.ts";
import { loadKey } from "../../src/sign/key-store.ts";

const [seq, expires, ...named] = process.argv.slice(2);
const { agent, release } = parseLock(readFileSync("agent/waybill.lock", "utf8"));
const releases = named.length > 0 ? named : [release.slice("sha256:".length)];
const channel = { agent, target: "production", seq: Number(seq), expires: expires!, releases };
const key = loadKey(waybillHome(), "alice", process.env.WAYBILL_PASSPHRASE ?? "");
const name = evidenceFileName({ evidence: "channel", target: channel.target }, key.keyId);
writeBundle("agent", name, makeKeyBundle(encodeStatement(makeChannelStatement(channel)), key.privateKey));
