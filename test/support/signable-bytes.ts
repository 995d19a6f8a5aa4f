/** Valid bytes of every kind, to start tests from. */
import { pae } from '../../src/encoding/dsse-pae.js';
import { SshWriter } from '../../src/encoding/ssh-wire.js';
import { buildNotationPayload } from '../../src/formats/notation.js';
import { buildSimpleSigning } from '../../src/formats/simple-signing.js';
import { buildSignedData } from '../../src/formats/sshsig.js';
import { tufCanonical } from '../../src/formats/tuf/canonical.js';
import { buildTbs, type CertificateFields } from '../../src/formats/x509-tbs.js';

/** The P-256 generator as a public key. */
const AUTHORITY_SPKI = Buffer.from(
  '3059301306072a8648ce3d020106082a8648ce3d03010703420004' +
    '6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296' +
    '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
  'hex',
);

export const DIGEST_TEXT = `sha256:${'ab'.repeat(32)}`;
const IN_TOTO_KIND = 'dsse:application/vnd.in-toto+json';

export function inTotoBody(): Buffer {
  return Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'app', digest: { sha256: 'cd'.repeat(32) } }],
      predicateType: 'https://slsa.dev/provenance/v1',
      predicate: { builder: { id: 'test' } },
    }),
  );
}

/** A login request of user "alice", for a session id of 32 bytes. */
export function userauthBytes(
  method: 'publickey' | 'publickey-hostbound-v00@openssh.com',
  fields: { readonly sessionId?: Buffer; readonly keyBlob?: Buffer; readonly algorithm?: string } = {},
): Buffer {
  const algorithm = fields.algorithm ?? 'ssh-ed25519';
  const keyBlob =
    fields.keyBlob ?? new SshWriter().string('ssh-ed25519').string(Buffer.alloc(32, 9)).toBuffer();
  const writer = new SshWriter()
    .string(fields.sessionId ?? Buffer.alloc(32, 5))
    .u8(50)
    .string('alice');
  writer.string('ssh-connection').string(method).u8(1).string(algorithm).string(keyBlob);
  return (method === 'publickey' ? writer : writer.string(keyBlob)).toBuffer();
}

/** A certificate before it is signed, by a key of its own or (a leaf) by another one. */
export function tbsBytes(profile: 'authority' | 'leaf', changes: Partial<CertificateFields> = {}): Buffer {
  const issuer = { C: 'DE', ST: 'Berlin', O: 'Acme', CN: 'Authority' };
  const subject = profile === 'authority' ? issuer : { ...issuer, CN: 'registry.example/acme/app' };
  return buildTbs({
    profile,
    serial: Buffer.from('1234', 'hex'),
    issuer,
    subject,
    notBefore: new Date('2026-01-02T03:04:05Z'),
    notAfter: new Date('2027-01-02T03:04:05Z'),
    spki: AUTHORITY_SPKI,
    issuerSpki: AUTHORITY_SPKI,
    ...changes,
  });
}

const TUF_ROLE = { keyids: [], threshold: 1 };
const TUF_ROLES = { root: TUF_ROLE, targets: TUF_ROLE, snapshot: TUF_ROLE, timestamp: TUF_ROLE };

function tufBytes(type: string, fields: object): Buffer {
  const common = { _type: type, spec_version: '1.0.31', version: 1, expires: '2031-01-02T03:04:05Z' };
  return tufCanonical({ ...common, ...fields }, 'test');
}

/** [kind, bytes] of each kind this release knows. */
export function signableBytes(): readonly (readonly [kind: string, bytes: Buffer])[] {
  return [
    ['oci.simple-signing', buildSimpleSigning({ reference: 'docker.io/library/hello', digest: DIGEST_TEXT })],
    [IN_TOTO_KIND, pae('application/vnd.in-toto+json', inTotoBody())],
    ['dsse:text/plain', pae('text/plain', Buffer.from('hello'))],
    // 32 bytes long: must not pass for a digest as well.
    ['dsse:a/b', pae('a/b', Buffer.alloc(16, 0x41))],
    [
      'sshsig:file',
      buildSignedData({ namespace: 'file', hashAlgorithm: 'sha512', hash: Buffer.alloc(64, 7) }),
    ],
    ['sshsig:git', buildSignedData({ namespace: 'git', hashAlgorithm: 'sha256', hash: Buffer.alloc(32, 7) })],
    ['ssh.userauth', userauthBytes('publickey')],
    ['ssh.userauth', userauthBytes('publickey-hostbound-v00@openssh.com')],
    [
      'notation.payload',
      buildNotationPayload(
        { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: DIGEST_TEXT, size: 528 },
        new Date('2026-01-02T03:04:05Z'),
      ),
    ],
    ['tuf.root', tufBytes('root', { consistent_snapshot: true, keys: {}, roles: TUF_ROLES })],
    ['tuf.targets', tufBytes('targets', { targets: {} })],
    ['tuf.snapshot', tufBytes('snapshot', { meta: { 'targets.json': { version: 1 } } })],
    ['tuf.timestamp', tufBytes('timestamp', { meta: { 'snapshot.json': { version: 1 } } })],
    ['x509.tbs', tbsBytes('leaf')],
    ['x509.tbs', tbsBytes('authority')],
    ['digest', Buffer.alloc(32, 0xa5)],
  ];
}
