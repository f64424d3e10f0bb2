import assert from "node:assert/strict";
import { test } from "node:test";
import { namingOf, skeletonOf } from "./image-signings.ts";
import { signedTag } from "./signed-tag.ts";
import { findingsOf, folder, judge } from "./testing.ts";

const PIN = `sha256:${"0123456789abcdef".repeat(4)}`;
const WORKFLOW = ".github/workflows/sign.yml";
const script = (text: string): string => judge(signedTag, { texts: { "sign.sh": text } });
const step = (run: string): string => `jobs:\n  a:\n    steps:\n      - run: |\n          ${run}\n`;

test("an image that is signed, attested or verified by tag is found", () => {
  for (const line of [
    "cosign sign --yes ghcr.io/acme/agent:v1",
    "cosign sign --yes localhost:5000/agent:v1",
    "cosign sign -y --key cosign.key ghcr.io/acme/agent:$TAG",
    'cosign sign "$IMAGE:latest"',
    `cosign sign -a sha=$(git rev-parse HEAD) "$REPO/agent:$(git describe)"`,
    "cosign -t 5m attest --predicate sbom.json --type cyclonedx ghcr.io/acme/agent:v1",
    "cosign verify --certificate-identity-regexp '.*' --certificate-oidc-issuer=x ghcr.io/acme/agent:v1 | jq .",
    "cosign verify-attestation --type slsaprovenance acme/agent:v1",
    "sudo /usr/local/bin/cosign sign ghcr.io/acme/agent:v1",
    "if ! cosign verify --key k.pub acme/agent:v1; then exit 1; fi",
    "echo acme/agent | xargs -I {} cosign sign --yes {}:v1",
    "bash -c 'cosign sign acme/agent:v1'",
    "waybill sign registry.example/acme/agent:1.2",
    "npx waybill attest registry.example/acme/agent:1.2 --type cyclonedx --predicate sbom.json",
    "waybill verify registry.example/acme/agent --key cosign.pub",
    "cosign sign ghcr.io/acme/agent",
    "I=ghcr.io/acme/agent:v1; cosign sign $I",
  ])
    assert.equal(script(line), "fail 1", line);
  assert.equal(script(`cosign sign a@${PIN} \\\n  b:v1`), "fail 2");
});

test("digests pass, written out or given by the build", () => {
  for (const line of [
    `cosign sign --yes ghcr.io/acme/agent@${PIN}`,
    `cosign sign --yes ghcr.io/acme/agent:v1@${PIN}`,
    "cosign sign --yes ghcr.io/acme/agent@$DIGEST",
    "cosign sign --yes ghcr.io/acme/agent@sha256:$HEX",
    'cosign sign --yes "$IMAGE:$TAG@$(cat digest.txt)"',
    `cosign sign "\${IMAGE%%:*}@\${DIGEST}"`,
    "echo $TAGS | xargs -I {} cosign sign --yes {}@$DIGEST",
    "for tag in $TAGS; do cosign sign --yes $tag@$DIGEST; done",
  ])
    assert.equal(script(line), "pass", line);
});

test("what is no image in a registry passes", () => {
  for (const line of [
    "echo cosign sign acme/agent:v1",
    "# cosign sign acme/agent:v1",
    "cosign sign-blob --yes a:b",
    "cosign verify --local-image ./layout:v1",
    "cosign sign --help",
    "waybill sign",
    "waybill sign --key release",
    "waybill verify sbom.sigstore.json --key cosign.pub",
    "waybill attest app.tar --type provenance --predicate p.json",
    "waybill sign oci:layout:v1",
  ])
    assert.equal(script(line), "pass", line);
});

test("what is only known when it runs is not evaluated, and no finding", () => {
  for (const line of [
    "cosign sign $IMAGE",
    `cosign sign --yes "\${IMAGE}"`,
    "cosign sign ghcr.io/acme/$IMAGE",
    "cosign sign $(docker inspect --format='{{index .RepoDigests 0}}' acme/agent:v1)",
    "docker images -q | xargs cosign sign --yes",
  ])
    assert.equal(script(line), "not-evaluated", line);
  const output = step(`cosign sign --yes \${{ steps.meta.outputs.tags }}`);
  assert.equal(judge(signedTag, { texts: { [WORKFLOW]: output } }), "not-evaluated");
  assert.equal(judge(signedTag, { texts: { [WORKFLOW]: "a: [ # cosign" } }), "not-evaluated");
  assert.equal(judge(signedTag, { unread: { "sign.sh": "not UTF-8" } }), "not-evaluated");
});

test("workflows, pipelines and makefiles are read", () => {
  const one = (path: string, text: string): string => judge(signedTag, { texts: { [path]: text } });
  assert.equal(one(WORKFLOW, step(`cosign sign \${{ env.IMAGE }}:\${{ github.sha }}`)), "fail 5");
  assert.equal(one(WORKFLOW, step(`cosign sign x@\${{ steps.build.outputs.digest }}`)), "pass");
  assert.equal(
    one(".gitlab-ci.yml", "sign:\n  script:\n    - cosign sign $CI_REGISTRY_IMAGE:$CI_COMMIT_SHA"),
    "fail 3",
  );
  assert.equal(one("Makefile", "IMAGE = acme/agent\nsign:\n\t@$(COSIGN) sign $(IMAGE):$(TAG)\n"), "fail 3");
  assert.equal(one("Makefile", "sign:\n\tcosign sign $(IMAGE)@$(DIGEST)\n"), "pass");
  assert.equal(one("notes.md", "cosign sign acme/agent:v1"), "pass");
});

test("the finding stands at the operand and says the digest's form", () => {
  const text = step(`cosign sign --yes ghcr.io/acme/agent:\${{ github.sha }}`);
  const result = signedTag.run(folder({ texts: { [WORKFLOW]: text } }));
  const [finding] = findingsOf(result);
  assert.deepEqual(finding!.where, { file: WORKFLOW, line: 5, column: 29, length: 36 });
  assert.equal(finding!.expected, `ghcr.io/acme/agent@\${{ steps.build.outputs.digest }}`);
  assert.equal(result.coverage, "0 of 1 signed or verified image by digest, in 1 text");
  const shell = findingsOf(signedTag.run(folder({ texts: { "a.sh": "cosign verify --key k $R/agent:v1" } })));
  assert.equal(shell[0]!.expected, "$R/agent@$DIGEST");
});

test("computed parts hide their colons, and take time by their length alone", () => {
  assert.equal(skeletonOf(`a$(b:c)d\`e:f\`:g`), "a$$$$$$d$$$$$:g");
  assert.equal(namingOf(`\${{ a:b }}`), "computed");
  assert.equal(namingOf(`\${A:-x:y}`), "computed");
  assert.equal(namingOf("a@latest"), "computed");
  const started = performance.now();
  for (const part of ["$", "${", "$(", "`", "{}", "$a"]) skeletonOf(part.repeat(2000));
  assert.ok(performance.now() - started < 1000);
});
