"""docs/formats/evidence.md, and the runner of testdata/vectors."""
import base64, datetime, os, re, tempfile

from folder import read_tree
from waybill import (H, by_name, check_lock, cj, file_leaf, mth, need, oms_root, parse, release_document,
                     settings_document, tool_document, tree, utf8)

NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")
HEX = re.compile(r"[0-9a-f]{64}")


def statement(text):
    s = parse(text)
    need(s["_type"] in ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"), "type")
    p, subjects = s["predicate"], s["subject"]
    need(subjects and all(list(x["digest"]) == ["sha256"] and HEX.fullmatch(x["digest"]["sha256"]) for x in subjects), "subjects")
    digests = [x["digest"]["sha256"] for x in subjects]
    if s["predicateType"] == "urn:waybill:release:v1":
        need(set(p) == {"release", "components"} and len(subjects) == 1, "predicate")
        release, leaves = p["release"], p["components"]
        need([by_name(l) for l in leaves] == sorted({by_name(l) for l in leaves}), "order")
        need(release == release_document(release["agent"], leaves, release["settings"]), "root or count")
        need(subjects[0]["name"] == release["agent"] and digests[0] == H(cj(release)).hex(), "subject")
        return {"release": digests[0]}
    need(s["predicateType"] == "urn:waybill:channel:v1" and set(p) == {"agent", "target", "seq", "expires"}, "predicate")
    need(type(p["seq"]) is int and p["seq"] >= 1 and NAME.fullmatch(p["agent"]) and NAME.fullmatch(p["target"]), "fields")
    need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z", p["expires"]), "instant")
    datetime.datetime.strptime(p["expires"][:19], "%Y-%m-%dT%H:%M:%S")
    need(len(set(digests)) == len(digests) <= 100 and all(x["name"] == p["agent"] for x in subjects), "subjects")
    return {"channel": {**p, "releases": digests}}


def pae(payload_type, payload):
    t, b = utf8(payload_type), utf8(payload)
    return b"DSSEv1 %d %s %d %s" % (len(t), t, len(b), b)


def key_names(pem):
    digest = H(base64.b64decode("".join(pem.split("\n")[1:-2])))
    return {"keyId": digest.hex(), "short": digest.hex()[:12], "cosign": base64.b64encode(digest).decode(), "oms": H(pem).hex()}


# --- the vectors ---

def bytes_of(i):
    if "text" in i:
        return utf8(i["text"])
    period = bytes((31 * n + i["seed"]) % 251 for n in range(251))
    return (period * (i["size"] // 251 + 1))[: i["size"]]


def real_folder(files):
    with tempfile.TemporaryDirectory() as folder:
        for f in files:
            full = os.path.join(folder, f["path"])
            os.makedirs(os.path.dirname(full), exist_ok=True)
            if "link" in f:
                os.symlink(f["link"], full)
                continue
            with open(full, "wb") as out:
                out.write(bytes_of(f))
            os.chmod(full, 0o755 if f.get("executable") else 0o644)
        return tree(read_tree(folder))


def run_file(i):
    leaf = file_leaf("x", bytes_of(i))
    return {"size": leaf["size"], "sha256": leaf["sha256"], "chunks": leaf.get("chunks")}


def run_release(i):
    document = cj(release_document(i["agent"], i["components"], i["settings"]))
    return {"document": document, "digest": H(document).hex()}


def run_tool(i):
    document = tool_document(i["instructions"], i["tools"], i["artifact"])
    return {"document": document, "digest": "sha256:" + H(cj(document)).hex()}


RUN = {
    "canonical-json": cj,
    "strict-json": lambda text: cj(parse(text)),
    "files": run_file,
    "tree": lambda i: tree(i["leaves"]) if "leaves" in i else real_folder(i["files"]),
    "component-leaf": lambda leaf: {"text": cj(leaf), "leafHash": mth([utf8(cj(leaf))]).hex()},
    "tool-document": run_tool,
    "oms-root": lambda leaves: oms_root(leaves) or "",
    "settings": lambda m: {"document": settings_document(m), "digest": H(cj(settings_document(m))).hex()},
    "release": run_release,
    "lock": lambda text: check_lock(text)["release"],
    "statement": statement,
    "pae": lambda i: {"pae": pae(i["payloadType"], i["payload"]).decode(), "sha256": H(pae(i["payloadType"], i["payload"])).hex()},
    "key": key_names,
}


def vectors(folder):
    passed = failed = 0
    names = sorted(n[:-5] for n in os.listdir(folder) if n.endswith(".json"))
    for name in sorted(set(names) | set(RUN)):
        with open(os.path.join(folder, name + ".json"), encoding="utf-8") as f:
            cases = parse(f.read())
        for case in cases:
            try:
                found = RUN[name](case["input"])
            except (ValueError, KeyError, TypeError) as error:
                found, why = None, error
            if found == case["expected"] and (found is None or cj(found) == cj(case["expected"])):
                passed += 1
            else:
                failed += 1
                print(f"{name}: {case['name']}: expected {case['expected']}, found {found if found is not None else repr(why)}")
    print(f"{passed} passed, {failed} failed")
    return failed
