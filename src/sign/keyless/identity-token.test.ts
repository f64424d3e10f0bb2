import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { describeToken, MAX_TOKEN_BYTES, parseIdentityToken } from "./identity-token.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z");
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const good = {
  iss: "https://issuer.example.com",
  sub: "job:1",
  aud: "sigstore",
  exp: NOW / 1000 + 300,
};
const jwt = (claims: object, header: object = { alg: "RS256" }) => `${encode(header)}.${encode(claims)}.c2ln`;
const problemOf = (text: string) => {
  const read = parseIdentityToken(text, NOW);
  assert.ok("problem" in read, "it was read");
  return read.problem;
};

test("issuer, subject, audiences and end are read; white space around is left out", () => {
  const token = jwt({ ...good, aud: ["sigstore", "other"] });
  assert.deepEqual(parseIdentityToken(`${token}\r\n`, NOW), {
    token,
    issuer: good.iss,
    subject: "job:1",
    audiences: ["sigstore", "other"],
    expires: NOW + 300_000,
  });
});

test("a confirmed e-mail address is the subject, an unconfirmed one refuses the token", () => {
  const mail = { ...good, email: "a@example.com" };
  for (const confirmed of [true, "true"]) {
    const read = parseIdentityToken(jwt({ ...mail, email_verified: confirmed }), NOW);
    assert.ok(!("problem" in read));
    assert.equal(read.subject, "a@example.com");
  }
  for (const confirmed of [false, "false", 1, undefined])
    assert.match(problemOf(jwt({ ...mail, email_verified: confirmed })), /not confirmed/);
});

test("what cannot be used is refused with the reason", () => {
  const { sub: _sub, ...nobody } = good;
  const { exp: _exp, ...endless } = good;
  const cases: [string, RegExp][] = [
    ["", /empty/],
    ["a.b", /not a JWT/],
    [`${jwt(good)}.more`, /not a JWT/],
    [jwt(good).replace(/\.[^.]*$/, "."), /not a JWT/],
    [jwt(good, { alg: "none" }), /not signed/],
    [jwt(good, {}), /not signed/],
    [`${encode({ alg: "RS256" })}.${encode([])}.c2ln`, /no JSON objects/],
    [
      `${encode({ alg: "RS256" })}.${Buffer.from('{"iss":"a","iss":"b"}').toString("base64url")}.c2ln`,
      /no JSON/,
    ],
    [jwt({ ...good, exp: NOW / 1000 }), /expired/],
    [jwt({ ...good, exp: NOW / 1000 - 90 }), /expired 2 minutes ago/],
    [jwt({ ...good, exp: "soon" }), /no time of expiry/],
    [jwt(endless), /no time of expiry/],
    [jwt({ ...good, nbf: NOW / 1000 + 600 }), /not valid yet/],
    [jwt({ ...good, iss: "" }), /no issuer/],
    [jwt(nobody), /no subject/],
    ["a".repeat(MAX_TOKEN_BYTES + 1), /longer/],
  ];
  for (const [text, expected] of cases) assert.match(problemOf(text), expected);
});

test("what is shown of a token is safe for a terminal and holds nothing of it that signs", () => {
  const token = jwt({ ...good, sub: "\u001b[31mred\n::error::x" });
  const read = parseIdentityToken(token, NOW);
  assert.ok(!("problem" in read));
  const shown = describeToken(read);
  assert.ok(!shown.includes("\u001b") && !shown.includes("\n"), shown);
  assert.ok(!shown.includes("c2ln"));
});

test("no text makes it throw, and no problem quotes the token", () => {
  const part = fc.oneof(
    fc.string(),
    fc.json().map((text) => Buffer.from(text).toString("base64url")),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.tuple(part, part, part).map((parts) => parts.join(".")),
      ),
      (text) => {
        const read = parseIdentityToken(text, NOW);
        if ("problem" in read && text.trim().length > 20) assert.ok(!read.problem.includes(text.trim()));
      },
    ),
  );
});
