import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { needTool } from "../../scripts/toolbox/find.ts";
import { compareUtf8, sha256 } from "./digest.ts";
import { omsRoot } from "./oms-root.ts";
import type { FileLeaf } from "./tree.ts";

const leaf = (path: string, text = path): FileLeaf => ({
  path,
  size: text.length,
  sha256: sha256(text),
  executable: false,
});
const rootOf = (...texts: string[]): string => {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(Buffer.from(sha256(text), "hex"));
  return hash.digest("hex");
};

test("the root is over the digests in order, git's own files aside", () => {
  assert.equal(omsRoot([leaf("a"), leaf("b")]), rootOf("a", "b"));
  const git = [".git/x", ".gitattributes", ".github/w.yml", ".gitignore"].map((path) => leaf(path));
  assert.equal(omsRoot([...git, leaf("a")]), rootOf("a"));
  // Only at the top, and only these names.
  assert.equal(omsRoot([leaf(".gitx"), leaf("d/.gitignore")]), rootOf(".gitx", "d/.gitignore"));
  assert.equal(omsRoot(git), undefined);
  assert.equal(omsRoot([]), undefined);
});

const python = needTool("model_signing");

// Known departure: Python compares paths segment by segment, so that `a/b` precedes `a-b` and `z/x` precedes
// `z.txt`; in byte order they follow. Names here are ones on which both agree.
test("the Python model_signing signs the same root", { skip: python.skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), "waybill-oms-"));
  try {
    const files = ["A.txt", "z/～.bin", "z/😀.bin", "é", "a/b", ".gitignore", "B"];
    for (const path of files) {
      mkdirSync(dirname(join(scratch, "model", path)), { recursive: true });
      writeFileSync(join(scratch, "model", path), `content of ${path}`);
    }
    const key = join(scratch, "key.pem");
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    writeFileSync(key, privateKey.export({ type: "pkcs8", format: "pem" }));
    const signature = join(scratch, "model.sig");
    execFileSync(
      python.path,
      ["sign", "key", join(scratch, "model"), "--private_key", key, "--signature", signature],
      {
        stdio: "pipe",
      },
    );
    const bundle = JSON.parse(readFileSync(signature, "utf8")) as { dsseEnvelope: { payload: string } };
    const statement = JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, "base64").toString()) as {
      subject: { digest: { sha256: string } }[];
    };
    const leaves = files.toSorted(compareUtf8).map((path) => leaf(path, `content of ${path}`));
    assert.equal(omsRoot(leaves), statement.subject[0]!.digest.sha256);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});
