/**
 * The keeper's second line: every kind fixes the first bytes of what it signs. This check reads nothing beyond them,
 * so that a front which was taken over cannot have a key of one purpose sign bytes of another. It never parses.
 */

/** First bytes of cosign's payload (JSON, `critical` always comes first). */
export const SIMPLE_SIGNING_PREFIX = Buffer.from('{"critical":{', 'latin1');
/** DSSE v1 pre-authentication encoding. */
export const DSSE_PREFIX = Buffer.from('DSSEv1 ', 'latin1');
/** PROTOCOL.sshsig of OpenSSH, section 3: the magic preamble of the signed data. */
export const SSHSIG_PREFIX = Buffer.from('SSHSIG', 'latin1');

/** The JWS signing input of a Notation signature by ES256: base64url of `{"alg":"ES256",`, fifteen bytes. */
export const NOTATION_PREFIX = Buffer.from('eyJhbGciOiJFUzI1NiIs', 'latin1');
/**
 * Repository metadata of Notary, and in lower case of TUF: canonical JSON sorts its keys, so `_type` comes first. Targets and delegations
 * of Notary are the same documents: what tells these two kinds apart is the role of the key (docs/decisions/0011).
 */
const NOTARY_TARGETS_PREFIX = Buffer.from('{"_type":"Targets",', 'latin1');
const METADATA_PREFIXES: ReadonlyMap<string, Buffer> = new Map([
  ['notary.root', Buffer.from('{"_type":"Root",', 'latin1')],
  ['notary.targets', NOTARY_TARGETS_PREFIX],
  ['notary.delegation', NOTARY_TARGETS_PREFIX],
  ['notary.snapshot', Buffer.from('{"_type":"Snapshot",', 'latin1')],
  ['notary.timestamp', Buffer.from('{"_type":"Timestamp",', 'latin1')],
  ['tuf.root', Buffer.from('{"_type":"root",', 'latin1')],
  ['tuf.targets', Buffer.from('{"_type":"targets",', 'latin1')],
  ['tuf.snapshot', Buffer.from('{"_type":"snapshot",', 'latin1')],
  ['tuf.timestamp', Buffer.from('{"_type":"timestamp",', 'latin1')],
]);
/** What all of them begin with: cheaper to look for than each of them. */
const METADATA_START = Buffer.from('{"_type":"', 'latin1');

/** A TBSCertificate: a SEQUENCE with a length of two bytes, whose first element says version 3. */
const TBS_SEQUENCE = Buffer.from('3082', 'hex');
const TBS_VERSION = Buffer.from('a003020102', 'hex');

/** SSH_MSG_USERAUTH_REQUEST, RFC 4252 section 6; stands after the session id. */
export const USERAUTH_BYTE = 50;
/** Lengths of a session id in bytes: the exchange hashes SHA-1, SHA-256, SHA-384 and SHA-512. */
const SESSION_ID_BYTES: ReadonlySet<number> = new Set([20, 32, 48, 64]);
const LENGTH_BYTES = 4;

/** Of the digests that keys sign: SHA-256, SHA-384, SHA-512. */
const DIGEST_BYTES: ReadonlySet<number> = new Set([32, 48, 64]);

/** Longest kind in characters: its length travels in one byte. */
const MAX_KIND_LENGTH = 255;

const MAX_CACHED_PREFIXES = 256;
const cachedPrefixes = new Map<string, Buffer>();

/**
 * True when `bytes` begin as the kind demands. For `dsse:TYPE` and `sshsig:NAMESPACE` that includes the type or the
 * namespace itself; a `digest` is 32, 48 or 64 bytes that begin like no typed kind. Unknown kinds never match.
 */
export function prefixMatches(kind: string, bytes: Uint8Array): boolean {
  if (kind === 'digest') return isDigestLength(bytes) && !hasTypedPrefix(bytes);
  if (kind === 'ssh.userauth') return isUserauth(bytes);
  if (kind === 'x509.tbs') return isX509Tbs(bytes);
  const prefix = cachedPrefixes.get(kind) ?? cachePrefix(kind);
  return prefix !== undefined && startsWith(bytes, prefix);
}

/** True for as many bytes as a digest has. */
export function isDigestLength(bytes: Uint8Array): boolean {
  return DIGEST_BYTES.has(bytes.length);
}

/** True when the first bytes belong to a typed kind. */
export function hasTypedPrefix(bytes: Uint8Array): boolean {
  return (
    startsWith(bytes, SIMPLE_SIGNING_PREFIX) ||
    startsWith(bytes, DSSE_PREFIX) ||
    startsWith(bytes, SSHSIG_PREFIX) ||
    startsWith(bytes, NOTATION_PREFIX) ||
    startsWith(bytes, METADATA_START) ||
    isX509Tbs(bytes) ||
    isUserauth(bytes)
  );
}

/** True for a session id of a length that SSH has, followed by the byte of a user authentication request. */
export function isUserauth(bytes: Uint8Array): boolean {
  const [first, second, third, length = 0] = bytes;
  if (first !== 0 || second !== 0 || third !== 0 || !SESSION_ID_BYTES.has(length)) return false;
  return bytes[LENGTH_BYTES + length] === USERAUTH_BYTE;
}

/** True for what begins like a certificate before it is signed. */
export function isX509Tbs(bytes: Uint8Array): boolean {
  return startsWith(bytes, TBS_SEQUENCE) && startsWith(bytes.subarray(4), TBS_VERSION);
}

/** True when `bytes` begin with `prefix`. Most differ in the first byte: a loop sees that before a call of Buffer has begun. */
export function startsWith(bytes: Uint8Array, prefix: Buffer): boolean {
  for (let at = 0; at < prefix.length; at += 1) if (bytes[at] !== prefix[at]) return false;
  return true;
}

function cachePrefix(kind: string): Buffer | undefined {
  const prefix = prefixOf(kind);
  if (prefix === undefined) return undefined;
  if (cachedPrefixes.size >= MAX_CACHED_PREFIXES) cachedPrefixes.clear();
  cachedPrefixes.set(kind, prefix);
  return prefix;
}

function prefixOf(kind: string): Buffer | undefined {
  if (kind.length > MAX_KIND_LENGTH) return undefined;
  if (kind === 'oci.simple-signing') return SIMPLE_SIGNING_PREFIX;
  if (kind === 'notation.payload') return NOTATION_PREFIX;
  const metadata = METADATA_PREFIXES.get(kind);
  if (metadata !== undefined) return metadata;
  if (kind.startsWith('dsse:') && kind.length > 5) {
    const type = Buffer.from(kind.slice(5), 'utf8');
    return Buffer.concat([
      DSSE_PREFIX,
      Buffer.from(`${type.length} `, 'latin1'),
      type,
      Buffer.from(' ', 'latin1'),
    ]);
  }
  if (kind.startsWith('sshsig:') && kind.length > 7) {
    const namespace = Buffer.from(kind.slice(7), 'utf8');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(namespace.length);
    return Buffer.concat([SSHSIG_PREFIX, length, namespace]);
  }
  return undefined;
}
