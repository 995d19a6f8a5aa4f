"""Walks TUF metadata with Debian's securesystemslib: its canonical JSON, its key ids, its signatures. Argument: the folder of the metadata."""
import json
import os
import sys

from securesystemslib.formats import encode_canonical
from securesystemslib.hash import digest as new_digest
from securesystemslib.keys import verify_signature

folder = sys.argv[1]


def load(name):
    with open(os.path.join(folder, name), encoding="utf8") as file:
        return json.load(file)


def key_id(key):
    hashed = new_digest("sha256")
    hashed.update(encode_canonical(key).encode("utf8"))
    return hashed.hexdigest()


def require_threshold(what, envelope, keys, role):
    canonical = encode_canonical(envelope["signed"]).encode("utf8")
    good = set()
    for signature in envelope["signatures"]:
        key = keys.get(signature["keyid"])
        if key is None or signature["keyid"] not in role["keyids"]:
            continue
        if key_id(key) != signature["keyid"]:
            sys.exit(f"{what}: another key id")
        if verify_signature({**key, "keyid": signature["keyid"]}, signature, canonical):
            good.add(key["keyval"]["public"])
    if len(good) < role["threshold"]:
        sys.exit(f"{what}: {len(good)} of {role['threshold']}")


count = 1
root = load("1.root.json")
require_threshold("root 1", root, root["signed"]["keys"], root["signed"]["roles"]["root"])
while os.path.exists(os.path.join(folder, f"{root['signed']['version'] + 1}.root.json")):
    following = load(f"{root['signed']['version'] + 1}.root.json")
    what = f"root {following['signed']['version']}"
    for by in (root["signed"], following["signed"]):
        require_threshold(what, following, by["keys"], by["roles"]["root"])
    root = following
    count += 1

keys, roles = root["signed"]["keys"], root["signed"]["roles"]
timestamp = load("timestamp.json")
require_threshold("timestamp", timestamp, keys, roles["timestamp"])
snapshot = load(f"{timestamp['signed']['meta']['snapshot.json']['version']}.snapshot.json")
require_threshold("snapshot", snapshot, keys, roles["snapshot"])
meta = snapshot["signed"]["meta"]
waiting = [("targets", keys, roles["targets"])]
while waiting:
    name, keys, role = waiting.pop()
    document = load(f"{meta[name + '.json']['version']}.{name}.json")
    require_threshold(name, document, keys, role)
    count += 1
    delegations = document["signed"].get("delegations", {})
    for each in delegations.get("roles", []):
        waiting.append((each["name"], delegations["keys"], each))
    if "succinct_roles" in delegations:
        bins = delegations["succinct_roles"]
        digits = len(f"{2 ** bins['bit_length'] - 1:x}")
        for at in range(2 ** bins["bit_length"]):
            waiting.append((f"{bins['name_prefix']}-{at:0{digits}x}", delegations["keys"], bins))
print(f"{count} documents agree")
