"""Trees and locks held against the files on disk: docs/formats/tree.md, release.md and README.md."""
import os, re, stat

from waybill import by_name, file_leaf, need, oms_root, parse, tool_document, tree, utf8

RESERVED = {".git", "waybill.yaml", "waybill.lock", "waybill.trust.yaml", "waybill.sha256sums", "waybill.evidence", ".waybill"}
TEMP = re.compile(r"\.waybill-[0-9a-f]{16}\.tmp")


def read_tree(root, left_out=frozenset()):
    """Leaves of a folder or file; `left_out`: names at its top that belong to no tree."""
    leaves = []

    def entry(full, path):
        mode = os.lstat(full).st_mode
        if stat.S_ISLNK(mode):
            link = os.readlink(full)
            beside = os.path.realpath(os.path.dirname(full))
            repo = re.match(r"(.*/(?:models|datasets|spaces)--[^/]+)/snapshots/[^/]+(/|$)", beside)
            target = os.path.normpath(os.path.join(beside, link))
            if repo and os.path.dirname(target) == repo[1] + "/blobs" and stat.S_ISREG(os.lstat(target).st_mode):
                full, mode = target, os.lstat(target).st_mode
            else:
                need(full != root and not link.startswith("/"), f"{path}: link escapes")
                text = os.path.normpath(os.path.join(os.path.dirname(path), link))
                need(text.split("/")[0] != "..", f"{path}: link escapes")
                real, top = os.path.realpath(full, strict=True), os.path.realpath(root)
                need(real == top or real.startswith(top + "/"), f"{path}: link escapes")
                return leaves.append({"path": path, "link": link})
        need(stat.S_ISREG(mode), f"{path}: not a file")
        with open(full, "rb") as f:
            leaves.append(file_leaf(path, f.read(), bool(mode & 0o100)))

    def walk(folder, prefix):
        for name in os.listdir(folder):
            if not prefix and left_out and (name in left_out or TEMP.fullmatch(name)):
                continue
            full = os.path.join(folder, name)
            if os.path.isdir(full) and not os.path.islink(full):
                walk(full, prefix + name + "/")
            else:
                entry(full, prefix + name)

    walk(root, "") if os.path.isdir(root) and not os.path.islink(root) else entry(root, os.path.basename(root))
    return leaves


def check_folder(lock, folder):
    """The bytes beside a lock. Which files git tracks is not asked: of `code`, the listed files are read."""
    for c, declared in zip(lock["components"], lock["settings"]["components"]):
        need(by_name(c["leaf"]) == by_name(declared), "settings and components differ")
        kind, files = declared["kind"], c["files"]
        clean = lambda p: "" if p == "." else p.rstrip("/")
        read = lambda p: read_tree(os.path.join(folder, p) if p else folder, frozenset() if p else RESERVED)
        if kind == "image" or (kind == "code" and "path" in declared):
            base = os.path.join(folder, clean(declared["path"]))
            base = os.path.dirname(base) if os.path.isfile(base) else base
            found = []
            for f in files:
                full = os.path.join(base, f["path"])
                one = {"link": os.readlink(full)} if "link" in f else read_tree(full)[0]
                found.append({**one, "path": f["path"]})
            need(kind != "image" or all(f["path"] == "blobs/sha256/" + f["sha256"] for f in found), "a blob's name")
        elif "path" in declared:
            found = read(clean(declared["path"]))
        else:
            found = []
            for p in map(clean, declared["paths"]):
                single = os.path.isfile(os.path.join(folder, p))
                prefix = os.path.dirname(p) if single else p
                found += [{**leaf, "path": f"{prefix}/{leaf['path']}" if prefix else leaf["path"]} for leaf in read(p)]
        if kind == "code":
            found = [leaf for leaf in found if ".git" not in leaf["path"].split("/")]
        found.sort(key=lambda leaf: utf8(leaf["path"]))
        need(found == files, f"{kind}/{declared['name']}: the files are not the locked ones")
        if kind == "tool":
            base = clean(declared["path"]) + "/" if "path" in declared and clean(declared["path"]) else ""
            tools = [f["path"] for f in found if base + f["path"] == declared.get("snapshot") or "snapshot" not in declared and (f["path"] == "tools.json" or len(found) == 1)]
            full = os.path.join(folder, base + tools[0])
            with open(full if os.path.isfile(full) else os.path.join(folder, declared["path"]), encoding="utf-8") as f:
                snapshot = parse(f.read())
            need(c["document"] == tool_document(snapshot.get("instructions"), snapshot["tools"], tree(found)), "tool document")
        if "oms" in c["leaf"].get("also", {}):
            need(c["leaf"]["also"]["oms"] == oms_root(found), "OMS root")
