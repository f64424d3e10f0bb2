// Prints a model signature in which config.json is another name, signed by alice: make-oms.ts SIGNATURE NAME
import { readFileSync } from "node:fs";
import { waybillHome } from "../../src/flows/home.ts";
import { makeKeyBundle } from "../../src/sign/bundle.ts";
import { loadKey } from "../../src/sign/key-store.ts";

const [file, name] = process.argv.slice(2);
const { dsseEnvelope } = JSON.parse(readFileSync(file!, "utf8")) as { dsseEnvelope: { payload: string } };
const statement = Buffer.from(dsseEnvelope.payload, "base64")
  .toString()
  .replace('"config.json"', JSON.stringify(name));
const key = loadKey(waybillHome(), "alice", process.env.WAYBILL_PASSPHRASE ?? "");
process.stdout.write(makeKeyBundle(statement, key.privateKey));
