#!/usr/bin/env python3
"""A second implementation of docs/formats/, written from those pages with nothing but Python's standard library.
This file is tree.md, release.md and lock.md; folder.py reads the files on disk, vectors.py adds evidence.md.

waybill.py vectors DIR           runs the vectors of testdata/vectors: `N passed, N failed`
waybill.py lock PATH             checks a waybill.lock and the files around it, prints the release digest
waybill.py tree PATH             prints the digest of a folder or file
"""
import hashlib, json, os, re, sys, unicodedata
from decimal import Decimal

MIB, MAX_INT = 1 << 20, 2**53 - 1
KINDS = set("code corpus dataset dependencies image infra model prompt tool".split())
LEAF = {"kind", "name", "mediaType", "digest", "size"}
FILE = {"path", "size", "sha256", "executable"}


def need(condition, why):
    if not condition:
        raise ValueError(why)


def H(data):
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).digest()


def utf8(text):
    return text.encode("utf-8")  # also refuses unpaired surrogates, with a ValueError


def utf16(text):
    return text.encode("utf-16-be")


# --- canonical JSON (tree.md). Numbers: integers and decimals without exponent, as the page allows. ---

def cj(v):
    if isinstance(v, dict):
        return "{" + ",".join(f"{cj(k)}:{cj(v[k])}" for k in sorted(v, key=utf16)) + "}"
    if isinstance(v, list):
        return "[" + ",".join(map(cj, v)) + "]"
    if isinstance(v, str):
        utf8(v)
    if isinstance(v, float):
        need("e" not in repr(v) and "n" not in repr(v), "a number beyond this implementation")
        return repr(v)
    return json.dumps(v, ensure_ascii=False)


def parse(text):
    def number(s):
        value = float(s)
        need(value not in (float("inf"), float("-inf")), "number too large")
        need(Decimal(s) == Decimal(repr(value)), "not what a double holds")
        return int(value) if value.is_integer() else value

    def integer(s):
        need(abs(int(s)) <= MAX_INT, "integer too large")
        return int(s)

    def pairs(items):
        need(len({k for k, _ in items}) == len(items), "duplicate key")
        return dict(items)

    def constant(name):
        need(False, name)

    value = json.loads(text, object_pairs_hook=pairs, parse_int=integer, parse_float=number, parse_constant=constant)
    cj(value)
    return value


# --- trees (tree.md) ---

def mth(leaves, tag=b""):
    hashes = [H(b"\0" + tag + leaf) for leaf in leaves]
    need(hashes, "an empty tree has no digest")

    def root(d):
        if len(d) == 1:
            return d[0]
        k = 1 << (len(d) - 1).bit_length() - 1
        return H(b"\1" + root(d[:k]) + root(d[k:]))

    return root(hashes)


def fold(name):
    n = unicodedata.normalize
    return n("NFC", n("NFC", name).lower().upper().lower())


def check_paths(paths):
    seen = {}
    for path in paths:
        utf8(path)
        parts = path.split("/")
        need(len(parts) <= 257, "too many segments")
        need(not re.search(r"[\x00-\x1f\x7f]", path) and not {"", ".", ".."} & set(parts), f"bad name {path!r}")
        for i in range(1, len(parts) + 1):
            entry = ("/".join(parts[:i]), i < len(parts))
            other = seen.setdefault("/".join(map(fold, parts[:i])), entry)
            need(other == entry and (entry[1] or other is entry), f"collision at {path!r}")


def tree(leaves):
    check_paths([leaf["path"] for leaf in leaves])
    return "waybill-tree-v1:" + mth([utf8(cj(leaf)) for leaf in sorted(leaves, key=lambda l: utf8(l["path"]))]).hex()


def file_leaf(path, data, executable=False):
    leaf = {"path": path, "size": len(data), "sha256": H(data).hex(), "executable": executable}
    if len(data) > MIB:
        leaf["chunks"] = mth([data[i : i + MIB] for i in range(0, len(data), MIB)], b"waybill-chunk").hex()
    return leaf


# --- releases (release.md) ---

def by_name(c):
    return utf8(c["kind"]), utf8(c["name"])


def release_document(agent, leaves, settings):
    need(leaves and len({by_name(l) for l in leaves}) == len(leaves), "no component, or one twice")
    root = mth([utf8(cj(leaf)) for leaf in sorted(leaves, key=by_name)]).hex()
    return {"type": "urn:waybill:release:v1", "agent": agent, "hash": "sha256", "root": root, "count": len(leaves), "settings": settings}


def tool_document(instructions, tools, artifact):
    fields = ["name", "description", "inputSchema", "outputSchema", "annotations"]
    need(len({t["name"] for t in tools}) == len(tools) and all(t["name"] for t in tools), "a tool's name")
    digest = lambda t: "sha256:" + H(cj({f: t[f] for f in fields if f in t})).hex()
    listed = [{"name": t["name"], "digest": digest(t)} for t in sorted(tools, key=lambda t: utf8(t["name"]))]
    return {"type": "urn:waybill:tool:v1", "instructions": instructions, "tools": listed, "artifact": artifact}


def stays_inside(path, link):
    depth = path.count("/")
    for part in link.split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
        if depth < 0:
            return False
    return not link.startswith("/")


def oms_root(leaves):
    git = {".git", ".gitignore", ".gitattributes", ".github"}
    files = [l for l in leaves if "link" not in l and l["path"].split("/")[0] not in git]
    digests = [bytes.fromhex(l["sha256"]) for l in sorted(files, key=lambda l: utf8(l["path"]))]
    return H(b"".join(digests)).hex() if digests else None


def placed(c):
    clean = lambda path: path.removesuffix("/")
    c = {**c, "path": clean(c["path"])} if "path" in c else c
    return {**c, "paths": [clean(p) for p in c["paths"]]} if "paths" in c else c


def settings_document(m):
    start, policy, unique = m["start"], m.get("policy", {}), lambda v: sorted(set(v), key=utf8)
    return {
        "components": sorted(map(placed, m["components"]), key=by_name),
        "start": {
            "command": start["command"], "env": start.get("env", {}), "egress": unique(start.get("egress", [])),
            "listen": sorted(set(start.get("listen", []))), "mounts": start.get("mounts", []),
            **({"user": start["user"]} if "user" in start else {}),
        },
        "runtime": m.get("runtime", {}), "rollout": m.get("rollout", {}), "pact": m.get("pact", []),
        "policy": {"level": policy.get("level", "observe"), "deny": unique(policy.get("deny", []))},
        "ignore": unique(m.get("ignore", [])),
    }


# --- locks (lock.md) ---

def encode_lock(lock):
    def pretty(v, pad):
        if not isinstance(v, (dict, list)) or not v:
            return cj(v)
        if isinstance(v, dict):
            (left, right), inner = "{}", [f"{cj(k)}: {pretty(v[k], pad + '  ')}" for k in sorted(v, key=utf16)]
        else:
            (left, right), inner = "[]", [pretty(x, pad + "  ") for x in v]
        return f"{left}\n{pad}  " + f",\n{pad}  ".join(inner) + f"\n{pad}{right}"

    parts = []
    for c in lock["components"]:
        files = "[\n" + ",\n".join("        " + cj(f) for f in c["files"]) + "\n      ]" if c["files"] else "[]"
        document = f',\n      "document": {cj(c["document"])}' if "document" in c else ""
        parts.append(f'    {{\n      "leaf": {cj(c["leaf"])},\n      "files": {files}{document}\n    }}')
    head = "".join(f'  "{k}": {cj(lock[k])},\n' for k in ("type", "agent", "release"))
    return f'{{\n{head}  "settings": {pretty(lock["settings"], "  ")},\n  "components": [\n' + ",\n".join(parts) + "\n  ]\n}\n"


def check_lock(text):
    lock = parse(text)
    need(set(lock) == {"type", "agent", "release", "settings", "components"}, "fields")
    need(lock["type"] == "urn:waybill:lock:v1", "type")
    need(encode_lock(lock) == text, "not the canonical text")
    leaves = [c["leaf"] for c in lock["components"]]
    need([by_name(l) for l in leaves] == sorted({by_name(l) for l in leaves}), "components out of order")
    for c in lock["components"]:
        leaf, files, document = c["leaf"], c["files"], c.get("document")
        need(set(c) <= {"leaf", "files", "document"} and leaf["kind"] in KINDS, "unknown field or kind")
        need(LEAF <= set(leaf) <= LEAF | {"origin", "also"}, "component leaf")
        need(all(set(f) in ({"path", "link"}, FILE, FILE | {"chunks"}) for f in files), "tree leaf")
        need([f["path"] for f in files] == sorted({f["path"] for f in files}, key=utf8), "files out of order")
        need(leaf["size"] == sum(f.get("size", 0) for f in files), "size")
        need(all(("chunks" in f) == (f["size"] > MIB) for f in files if "size" in f), "chunk root")
        need(all(stays_inside(f["path"], f["link"]) for f in files if "link" in f), "link leaves the tree")
        oms = oms_root(files) if leaf["kind"] == "model" else None
        need(leaf.get("also") == ({"oms": oms} if oms else None), "also")
        if leaf["kind"] == "image":
            need(leaf["digest"] in ["sha256:" + f.get("sha256", "") for f in files], "image digest")
            need(all(f["path"] == "blobs/sha256/" + f["sha256"] and not f["executable"] for f in files), "blob")
            need(document is None, "document")
        elif leaf["kind"] == "tool":
            need(document["artifact"] == tree(files) and leaf["digest"] == "sha256:" + H(cj(document)).hex(), "tool digest")
        else:
            need(document is None and leaf["digest"] == tree(files), "digest")
    pinned = lambda entries: [(e["kind"], e["name"], e.get("origin")) for e in entries]
    need(pinned(lock["settings"]["components"]) == pinned(leaves), "declared and pinned components differ")
    document = release_document(lock["agent"], leaves, H(cj(lock["settings"])).hex())
    need(lock["release"] == "sha256:" + H(cj(document)).hex(), "release digest")
    return lock


def main(command="", path=""):
    from folder import check_folder, read_tree

    if command == "vectors":
        from vectors import vectors

        return 1 if vectors(path) else 0
    if command == "tree":
        print(tree(read_tree(path)))
    elif command == "lock":
        with open(path, encoding="utf-8", newline="") as f:
            lock = check_lock(f.read())
        check_folder(lock, os.path.dirname(os.path.abspath(path)))
        print(lock["release"])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:3]))
    except (ValueError, KeyError, TypeError, OSError) as problem:
        print(f"refused: {problem!r}", file=sys.stderr)
        sys.exit(1)
