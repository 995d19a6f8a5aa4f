/** The policy that `touchstone init` writes: a working start and a short course in the grammar. */

/** Text of policy.toml. Lets the owner sign images, attestations, repository metadata, files, git objects and SSH logins, and nobody else anything. */
export function defaultPolicy(): string {
  return TEXT;
}

const TEXT = `# Policy of the Touchstone agent: who may have what signed with which key.
#
# Rules are read from the top; the first one that matches decides. What no rule matches is denied.
# After a change run "touchstone policy check"; the agent reads the file again on SIGHUP and keeps the
# policy it has when this one is not valid. "touchstone policy explain" shows which rule decides and why.
# Grammar: docs/spec/policy.md

version = 1

# Container images: cosign payloads over an image digest, and in-toto attestations.
# A rule without "who" is for the owner of the agent alone.
# keys:  REPOSITORY#ROLE, "*" stands for any run of characters; "*#cosign" is every key with the role cosign.
# kinds: what the bytes are. The agent finds out by reading them; the role of the key limits them further.
[[rule]]
id = "owner-images"
kinds = ["oci.simple-signing", "dsse:application/vnd.in-toto+json"]
keys = ["*#cosign"]
allow = true

# Notation signatures, and the certificates that they need ("touchstone cert").
[[rule]]
id = "owner-notation"
kinds = ["notation.payload"]
keys = ["*#notation"]
allow = true

[[rule]]
id = "owner-certificates"
kinds = ["x509.tbs"]
keys = ["*#x509-ca"]
allow = true

# Docker Content Trust: the metadata of a repository. Its root is signed by the root key on the token, with a certificate
# for each repository.
[[rule]]
id = "owner-content-trust"
kinds = ["notary.*"]
keys = ["*#root", "*#targets", "*#targets/*", "*#snapshot", "*#timestamp"]
allow = true

# TUF repositories ("touchstone tuf"). A root of TUF names no repository, so it is signed by a root key that was made for one.
[[rule]]
id = "owner-tuf"
kinds = ["tuf.*"]
keys = ["*#root", "*#targets", "*#targets/*", "*#snapshot", "*#timestamp"]
allow = true

[[rule]]
id = "owner-root-certificates"
kinds = ["x509.tbs"]
keys = ["*#root"]
allow = true

# Root ceremonies: certificates of repository keys, and what holders of root keys sign about a ceremony itself.
[[rule]]
id = "owner-ceremonies"
kinds = ["dsse:application/vnd.touchstone.key-certificate+json", "dsse:application/vnd.touchstone.ceremony-*"]
keys = ["*#root"]
allow = true

# Files ("touchstone sign file", ssh-keygen -Y) and git commits and tags.
[[rule]]
id = "owner-files"
kinds = ["sshsig:file", "sshsig:git"]
keys = ["*#ssh"]
allow = true

# Logins with ssh, through the SSH agent socket ([ssh-agent] in touchstone.toml).
[[rule]]
id = "owner-logins"
kinds = ["ssh.userauth"]
keys = ["*#ssh"]
allow = true

# Examples; remove the "# " to use one, and mind the order.
#
# At most 20 signatures in any 60 minutes, 500 in all, and none after the end of 2027:
# [[rule]]
# id = "releases"
# kinds = ["sshsig:file"]
# keys = ["touchstone/release#ssh"]
# allow = true
# limits = { per_hour = 20, count = 500, until = 2027-12-31T23:59:59Z }
#
# Another user of this machine, for one repository (it must also reach the socket):
# [[rule]]
# id = "build-user"
# who = { uid = 1001 }
# kinds = ["oci.simple-signing"]
# keys = ["docker.io/acme/app#cosign"]
# allow = true
#
# A denial above the rules that would allow:
# [[rule]]
# id = "frozen"
# who = { uid = ["owner", 1001] }
# kinds = ["*"]
# keys = ["docker.io/acme/frozen#*"]
# deny = true
#
# Bare digests: the agent cannot see what it signs. Only for tools that cannot do better.
# [[rule]]
# id = "legacy-digests"
# kinds = ["digest"]
# keys = ["legacy/tool#cosign"]
# allow = true
# blind = true
`;
