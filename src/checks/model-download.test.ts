import assert from "node:assert/strict";
import { test } from "node:test";
import { modelDownload } from "./model-download.ts";
import { findingsOf, folder, judge } from "./testing.ts";

const HEX = "0123456789abcdef".repeat(4);
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const one = (path: string, text: string): string => judge(modelDownload, { texts: { [path]: text } });
const all = (path: string, cases: readonly [string, string][]): void => {
  for (const [text, expected] of cases) assert.equal(one(path, text), expected, text);
};

const URL_ = "https://models.example.com/model.bin";
const GET = `wget ${URL_} -O model.bin`;

test("shell: a download without a checksum", () => {
  all("fetch.sh", [
    [GET, "fail 1"],
    [`#!/bin/sh\nset -eu\ncurl -fsSL ${URL_} > model.bin`, "fail 3"],
    [`curl -fsSLo weights.gguf https://example.com/x?id=1`, "fail 1"],
    [`aria2c -o a.safetensors https://example.com/x`, "fail 1"],
    [`sudo -E wget -q \\\n  ${URL_}`, "fail 2"],
    [`if true; then wget ${URL_}; fi`, "fail 1"],
    [`BASE=https://models.example.com\nwget "$BASE/model.onnx"`, "fail 2"],
    [`wget "\${MODEL_URL:-${URL_}}"`, "fail 1"],
    [`x=$(curl -sL ${URL_} -o model.bin)`, "fail 1"],
    [`bash -c 'wget ${URL_}'`, "fail 1"],
    [`bash <<EOF\nwget ${URL_}\nEOF`, "fail 2"],
    [`wget https://huggingface.co/acme/m/resolve/main/config.json`, "fail 1"],
    [`curl -LO https://example.com/model-weights.tar.gz`, "fail 1"],
    [`curl --output=model.bin https://example.com/x`, "fail 1"],
    [`wget --output-document model.bin https://example.com/x`, "fail 1"],
    [`wget ${URL_} && wget https://example.com/b.pt`, "fail 1 1"],
  ]);
});

test("shell: what is not a download of a model", () => {
  all("fetch.sh", [
    [`# ${GET}`, "pass"],
    [`echo "${GET}"`, "pass"],
    [`cat <<EOF\n${GET}\nEOF`, "pass"],
    ["curl -fsSL https://example.com/install.sh", "pass"],
    ["curl https://huggingface.co/api/models", "pass"],
    ["wget https://example.com/data.tar.gz", "pass"],
    [`wget https://huggingface.co/acme/m/resolve/${COMMIT}/model.safetensors`, "pass"],
  ]);
  assert.equal(one("README.md", GET), "pass");
});

test("shell: a checksum counts when it is real, of this file and after the download", () => {
  const check = `echo "${HEX}  model.bin" | sha256sum --check`;
  all("fetch.sh", [
    [`${GET}\n${check}`, "pass"],
    [`${GET} && ${check}`, "pass"],
    [`${GET}\necho "${HEX}  model.bin" | shasum -a 256 -c`, "pass"],
    [`${GET}\nsha256sum -c <<< "${HEX}  model.bin"`, "pass"],
    [`${GET}\nsha256sum -c - <<EOF\n${HEX} *model.bin\nEOF`, "pass"],
    [`SUM=${HEX}\n${GET}\necho "$SUM  model.bin" | sha256sum -c -`, "pass"],
    [`${GET}\nprintf '%s  %s\\n' ${HEX} model.bin | sha256sum -c`, "pass"],
    [`${GET}\nif [ "$(sha256sum model.bin | cut -d' ' -f1)" != "${HEX}" ]; then exit 1; fi`, "pass"],
    [`aria2c --checksum=sha-256=${HEX} ${URL_}`, "pass"],
    [`${GET}\necho "expected_checksum model.bin" | sha256sum --check`, "fail 1"],
    [`${GET}\necho "${"0".repeat(64)}  model.bin" | sha256sum --check`, "fail 1"],
    [`${GET}\necho "${HEX.slice(1)}  model.bin" | sha256sum --check`, "fail 1"],
    [`${GET}\necho "$SUM  model.bin" | sha256sum --check`, "fail 1"],
    [`${GET}\necho "${HEX}  other.bin" | sha256sum --check`, "fail 1"],
    [`${check}\n${GET}`, "fail 2"],
    [`${GET}\n${check} || true`, "fail 1"],
    [`${GET}\n# ${check}`, "fail 1"],
    [`${GET}\necho "${HEX}  model.bin" | md5sum --check`, "fail 1"],
    [`${GET}\necho "${HEX}  model.bin" | sha256sum`, "fail 1"],
    [`${GET}\nsha256sum -c SHA256SUMS`, "fail 1"],
  ]);
});

test("shell: checksums in a file of the folder", () => {
  const texts = { "fetch.sh": `${GET}\nsha256sum -c SHA256SUMS` };
  const sums = (text: string): string => judge(modelDownload, { texts: { ...texts, SHA256SUMS: text } });
  assert.equal(sums(`${HEX}  model.bin\n`), "pass");
  assert.equal(sums(`${HEX}  other.bin\n`), "fail 1");
  assert.equal(sums("TODO  model.bin\n"), "fail 1");
});

test("shell: hub tools, ollama and clones", () => {
  all("fetch.sh", [
    ["hf download acme/m", "fail 1"],
    ["hf download acme/m model.safetensors --revision main", "fail 1"],
    [`hf download acme/m --revision ${COMMIT}`, "pass"],
    [`huggingface-cli download --revision=${COMMIT} acme/m`, "pass"],
    [`hf download --revision ${COMMIT} acme/m`, "pass"],
    ["hf download --revision main acme/m", "fail 1"],
    ["hf download $MODEL", "fail 1"],
    ["modelscope download --model acme/m", "fail 1"],
    ["modelscope download --model=acme/m", "fail 1"],
    [`huggingface-cli download acme/m --revision=${COMMIT}`, "pass"],
    ["huggingface-cli download acme/m --local-dir m", "fail 1"],
    ["hf upload acme/m", "pass"],
    ["ollama pull llama3.2", "fail 1"],
    ["vllm serve acme/m", "fail 1"],
    ["vllm serve ./models/m", "pass"],
    ["git lfs install && git clone https://huggingface.co/acme/m", "fail 1"],
    ["git clone git@hf.co:acme/m", "fail 1"],
    [`git clone https://huggingface.co/acme/m && cd m && git checkout ${COMMIT}`, "pass"],
    ["git clone https://huggingface.co/acme/m && git checkout main", "fail 1"],
  ]);
});

test("Dockerfiles, Makefiles, workflows, package.json, pod commands", () => {
  all("Dockerfile", [
    [`FROM a\nRUN apt-get update && \\\n    wget ${URL_}`, "fail 3"],
    [`FROM a\nRUN ["wget", "${URL_}"]`, "fail 2"],
    [`FROM a\nRUN <<EOF\nwget ${URL_}\nEOF`, "fail 3"],
    [`FROM a\nARG SUM=${HEX}\nRUN ${GET} && echo "$SUM  model.bin" | sha256sum -c`, "pass"],
    [`FROM a\n# RUN ${GET}\nRUN true`, "pass"],
    [`FROM a\nADD ${URL_} /m/`, "fail 2"],
    [`FROM a\nADD --checksum=sha256:${HEX} ${URL_} /m/`, "pass"],
    [`FROM a\nADD --checksum=sha256:abc ${URL_} /m/`, "fail 2"],
    [
      `FROM a\nCOPY fetch.py .\nRUN python -c "from transformers import AutoModel; AutoModel.from_pretrained('acme/m')"`,
      "fail 3",
    ],
    [`FROM a\nRUN python <<EOF\nAutoModel.from_pretrained('acme/m')\nEOF`, "fail 3"],
  ]);
  all("Makefile", [
    [`URL = ${URL_}\nmodel.bin:\n\t@wget $(URL)\n`, "fail 3"],
    [`wget ${URL_}\n`, "pass"],
  ]);
  const workflow = (run: string): string =>
    `jobs:\n  a:\n    steps:\n      - name: get\n        run: ${run}\n`;
  all(".github/workflows/a.yml", [
    [workflow(GET), "fail 5"],
    [workflow(`|\n          set -e\n          ${GET}`), "fail 7"],
    [workflow(`|\n          ${GET}\n          echo "${HEX}  model.bin" | sha256sum --check`), "pass"],
    [
      workflow(`|\n          from x import y\n          y.from_pretrained("acme/m")\n        shell: python`),
      "fail 7",
    ],
    [`jobs:\n  a:\n    steps:\n      - name: ${GET}\n`, "pass"],
  ]);
  assert.equal(
    one("package.json", `{"scripts": {\n"get": "curl -o model.onnx \\"https://a/b\\""}}`),
    "fail 2",
  );
  const pod = (command: string): string =>
    `apiVersion: v1\nkind: Pod\nspec:\n  initContainers:\n    - command: ${command}\n`;
  assert.equal(one("pod.yaml", pod(`[sh, -c, "wget ${URL_}"]`)), "fail 5");
  assert.equal(one("pod.yaml", pod(`[wget, "${URL_}"]`)), "fail 5");
});

test("Python: loaders without a commit", () => {
  all("load.py", [
    ['m = AutoModel.from_pretrained("acme/m")', "fail 1"],
    ['m = AutoModel.from_pretrained(\n    "acme/m",\n    device_map="auto",\n)', "fail 2"],
    ['m = AutoModel.from_pretrained("acme/m", revision="main")', "fail 1"],
    ['m = AutoTokenizer.from_pretrained("gpt2")', "fail 1"],
    ["NAME = 'acme/m'\n\nm = AutoModel.from_pretrained(NAME)", "fail 3"],
    ['hf_hub_download(repo_id="acme/m", filename="x.gguf")', "fail 1"],
    ['huggingface_hub.snapshot_download("acme/m")', "fail 1"],
    ['SentenceTransformer("all-MiniLM-L6-v2")', "fail 1"],
    ['load_dataset("acme/d", split="train")', "fail 1"],
    ['from transformers import pipeline\np = pipeline("text-classification", model="acme/m")', "fail 2"],
    ['from transformers import pipeline\np = pipeline("text-classification")', "fail 2"],
    ['torch.hub.load("pytorch/vision:v0.10.0", "resnet18")', "fail 1"],
    [`urllib.request.urlretrieve("${URL_}", "m.bin")`, "fail 1"],
    [`requests.get("https://huggingface.co/a/b/resolve/main/m.gguf")`, "fail 1"],
    [`import subprocess\nsubprocess.run(["wget", "${URL_}"], check=True)`, "fail 2"],
    [`os.system("hf download acme/m")`, "fail 1"],
  ]);
});

test("Python: pinned, local and harmless ones", () => {
  all("load.py", [
    [`m = AutoModel.from_pretrained("acme/m", revision="${COMMIT}")`, "pass"],
    [`REV = "${COMMIT}"\nm = AutoModel.from_pretrained("acme/m", revision=REV)`, "pass"],
    ['m = AutoModel.from_pretrained("./models/m")', "pass"],
    ['m = AutoModel.from_pretrained("/models/m")', "pass"],
    ['m = AutoModel.from_pretrained("a/b/c")', "pass"],
    ["m = AutoModel.from_pretrained(path, local_files_only=True)", "pass"],
    ['load_dataset("json", data_files="x.json")', "pass"],
    ['# m = AutoModel.from_pretrained("acme/m")', "pass"],
    ['"""\nm = AutoModel.from_pretrained("acme/m")\n"""', "pass"],
    ["x = \"AutoModel.from_pretrained('acme/m')\"", "pass"],
    ["def from_pretrained(cls, name):\n    pass", "pass"],
    ['p = pipeline("x")', "pass"],
    [`torch.hub.load("a/b:${COMMIT}", "x")`, "pass"],
    ['torch.hub.load("/models", "x", source="local")', "pass"],
    [`get_file("m", "${URL_}", file_hash="${HEX}")`, "pass"],
    [`get_file("m", "${URL_}")`, "fail 1"],
    ['requests.get("https://example.com/list.json")', "pass"],
  ]);
});

test("a declared component is a folder and not a name on the hub; an offline agent fetches nothing", () => {
  const texts = { "load.py": 'AutoModel.from_pretrained("models/intent")' };
  const manifest = "components:\n  - {kind: model, name: intent, path: models/intent}";
  assert.equal(judge(modelDownload, { texts }), "fail 1");
  assert.equal(judge(modelDownload, { texts, manifest }), "pass");
  const offline = 'start:\n  command: [python, load.py]\n  env: {HF_HUB_OFFLINE: "1"}';
  assert.equal(judge(modelDownload, { texts, manifest: offline }), "pass");
});

test("what is computed where it runs is not evaluated, and never passes", () => {
  all("load.py", [
    ["m = AutoModel.from_pretrained(args.model)", "not-evaluated"],
    ['m = AutoModel.from_pretrained("acme/m", revision=rev)', "not-evaluated"],
    ['m = AutoModel.from_pretrained("acme/m", **options)', "not-evaluated"],
    [`m = AutoModel.from_pretrained(name, revision="${COMMIT}")`, "pass"],
    ['m = AutoModel.from_pretrained(f"acme/{name}")', "not-evaluated"],
    ['NAME = "a/b"\nNAME = "c/d"\nAutoModel.from_pretrained(NAME)', "not-evaluated"],
    ['a = X.from_pretrained(n)\nb = X.from_pretrained("acme/m")', "fail 2"],
  ]);
  assert.equal(judge(modelDownload, { unread: { "fetch.sh": "larger than 1 MiB" } }), "not-evaluated");
  assert.equal(one("chart.yaml", "a: {{ x }}\n  b: ]"), "not-evaluated");
});

test("JavaScript and notebooks", () => {
  const pipe = "import { pipeline } from '@huggingface/transformers';\n";
  all("load.ts", [
    [`${pipe}const p = await pipeline('task', 'acme/m');`, "fail 2"],
    [`${pipe}const p = await pipeline('task', 'acme/m', {\n  revision: '${COMMIT}',\n});`, "pass"],
    [`${pipe}const p = await pipeline('task', 'acme/m', { revision: 'main' });`, "fail 2"],
    [`${pipe}// await pipeline('task', 'acme/m')\n/* pipeline('a', 'b/c') */`, "pass"],
    ["const t = await AutoTokenizer.from_pretrained(`acme/m`);", "fail 1"],
    [`await fetch("${URL_}");`, "fail 1"],
    [`const r = /["'\`]/;\nawait fetch("${URL_}");`, "fail 2"],
    [`execSync("wget ${URL_}");`, "fail 1"],
    [`spawn("hf", ["download", "acme/m"]);`, "fail 1"],
    ["stream.pipeline(a, b);", "pass"],
  ]);
  const notebook = (...source: string[]): string =>
    JSON.stringify(
      {
        cells: [
          { cell_type: "markdown", source: [GET] },
          { cell_type: "code", source },
        ],
      },
      null,
      1,
    );
  const at = (text: string, what: string): number => text.slice(0, text.indexOf(what)).split("\n").length;
  for (const line of [`!${GET}\n`, 'AutoModel.from_pretrained("acme/m")\n', "%%bash\nhf download acme/m\n"]) {
    const cell = line.startsWith("%%") ? notebook(line) : notebook("x = 1\n", line);
    assert.equal(one("a.ipynb", cell), `fail ${at(cell, JSON.stringify(line).slice(1, 12))}`, line);
  }
  assert.equal(one("a.ipynb", notebook("x = 1\n", "# from_pretrained('acme/m')\n")), "pass");
  assert.equal(one("a.ipynb", "{"), "not-evaluated");
});

test("scripts without an extension are known by their first line", () => {
  assert.equal(one("bin/fetch", `#!/usr/bin/env bash\n${GET}`), "fail 2");
  assert.equal(one("bin/load", '#!/usr/bin/env python3\nX.from_pretrained("acme/m")'), "fail 2");
  assert.equal(one("bin/notes", GET), "pass");
});

test("the seed's placeholder is called one, and the coverage counts", () => {
  const text = `${GET}\necho "expected_checksum model.bin" | sha256sum --check\nhf download a/b --revision ${COMMIT}`;
  const result = modelDownload.run(folder({ texts: { "fetch.sh": text } }));
  assert.equal(result.coverage, "1 of 2 downloads pinned, in 1 text");
  const finding = findingsOf(result)[0]!;
  assert.match(finding.message, /checksum 'expected_checksum' is a placeholder/);
  assert.equal(finding.found, "expected_checksum");
  assert.deepEqual(finding.where, { file: "fetch.sh", line: 1, column: 6, length: URL_.length });
});

test("many findings of one file end in one that counts the rest", () => {
  const findings = findingsOf(modelDownload.run(folder({ texts: { "fetch.sh": `${GET}\n`.repeat(150) } })));
  assert.equal(findings.length, 101);
  assert.match(findings.at(-1)!.message, /^50 more of these in fetch\.sh$/);
});

test("nothing of a text reaches a message unescaped", () => {
  const text = `wget https://a/\u001b[31m\u202emodel.bin\n`;
  const result = modelDownload.run(folder({ texts: { "fetch.sh": text } }));
  assert.equal(result.status, "fail");
  const said = Object.values(findingsOf(result)[0]!).filter((value) => typeof value === "string");
  for (const text of said)
    assert.ok(!text.includes("\u001b") && !text.includes("\u202e"), JSON.stringify(text));
});
