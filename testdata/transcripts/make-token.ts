// Prints an identity token that nobody has signed: make-token.ts CLAIM=VALUE…, over those of a CI job.
const given = process.argv.slice(2).map((word) => word.split(/=(.*)/s, 2));
const claims = {
  iss: "https://issuer.example",
  sub: "repo:example/agent:ref:refs/heads/main",
  ...Object.fromEntries(given.map(([name, value]) => [name!, /^\d+$/.test(value!) ? Number(value) : value])),
};
const part = (data: unknown) => Buffer.from(JSON.stringify(data)).toString("base64url");
console.log(`${part({ alg: "RS256" })}.${part(claims)}.${Buffer.from("nobody").toString("base64url")}`);
