"""What Debian's securesystemslib makes of TUF files: canonical bytes, key ids, and which keys of a role signed.

Input: JSON list of {file, by, role}: a file, the file that names the keys, and the role in it. Output: one JSON object for each.
"""
import hashlib
import json
import sys

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import Key, Signature


def digest_of(value):
    return hashlib.sha256(encode_canonical(value).encode("utf-8")).hexdigest()


def role_of(signed, name):
    if signed["_type"] == "root":
        return signed["keys"], signed["roles"][name]
    delegations = signed["delegations"]
    roles = [delegations["succinct_roles"]] if "succinct_roles" in delegations else delegations["roles"]
    return delegations["keys"], next(role for role in roles if role.get("name", name) == name)


def signers(envelope, keys, role):
    message = encode_canonical(envelope["signed"]).encode("utf-8")
    found = []
    for one in envelope["signatures"]:
        if one["keyid"] not in role["keyids"] or one["sig"] == "":
            continue
        key = Key.from_dict(one["keyid"], dict(keys[one["keyid"]]))
        try:
            key.verify_signature(Signature.from_dict(dict(one)), message)
            found.append(one["keyid"])
        except Exception:
            pass
    return sorted(found)


def read(name):
    with open(name, encoding="utf-8") as file:
        return json.load(file)


def judged(job):
    envelope = read(job["file"])
    keys, role = role_of(read(job["by"])["signed"], job["role"])
    return {
        "canonical": digest_of(envelope["signed"]),
        "keyids": {keyid: digest_of(key) for keyid, key in keys.items()},
        "signers": signers(envelope, keys, role),
        "threshold": role["threshold"],
    }


print(json.dumps([judged(job) for job in json.load(sys.stdin)]))
