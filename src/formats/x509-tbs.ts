/**
 * Certificates before they are signed (RFC 5280 section 4.1). Three profiles and nothing else: an authority that signs itself, a
 * leaf for code signing as the Notary Project demands it, and the certificate that wraps a root key for one repository of Docker Content
 * Trust. What is none of them is not read at all, and so never signed.
 */
import { createHash } from 'node:crypto';
import { keyIdOf } from '../crypto/key-id.js';
import { importPublicKey, rawFromSpki } from '../crypto/public-key.js';
import { contextTag, der, derOid, DerReader, derTime, derUnsigned, TAG } from '../encoding/asn1.js';
import { printable } from '../encoding/utf8.js';
import { isX509Tbs } from './prefixes.js';
import type { Statement } from './statement.js';
import { unrecognised } from './unrecognised.js';
import { decodeName, encodeName, formatName, type DistinguishedName } from './x509-name.js';

export const TBS_KIND = 'x509.tbs';

export interface CertificateFields {
  readonly profile: 'authority' | 'leaf' | 'repository';
  /** Big-endian, positive, at most 20 bytes. */
  readonly serial: Uint8Array;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  readonly issuerSpki: Uint8Array;
}

const VERSION_3 = der(contextTag(0), derUnsigned(Buffer.from([2])));
const ECDSA_WITH_SHA256 = der(TAG.sequence, derOid('1.2.840.10045.4.3.2'));
const TRUE = der(TAG.boolean, Buffer.from([0xff]));
const MAX_SERIAL_BYTES = 20;

/** Everything in extensions but the key identifiers is fixed by the profile. */
const FIXED_EXTENSIONS = {
  authority: [
    // CA, at most one level below; keyCertSign and cRLSign.
    extension('2.5.29.19', true, der(TAG.sequence, TRUE, derUnsigned(Buffer.from([0])))),
    extension('2.5.29.15', true, der(TAG.bitString, Buffer.from([1, 0x06]))),
  ],
  leaf: [
    // No CA; digitalSignature; code signing.
    extension('2.5.29.19', true, der(TAG.sequence)),
    extension('2.5.29.15', true, der(TAG.bitString, Buffer.from([7, 0x80]))),
    extension('2.5.29.37', false, der(TAG.sequence, derOid('1.3.6.1.5.5.7.3.3'))),
  ],
  repository: [
    // No CA; digitalSignature. No extended usage: a trust server that is pinned to a CA asks for server authentication.
    extension('2.5.29.19', true, der(TAG.sequence)),
    extension('2.5.29.15', true, der(TAG.bitString, Buffer.from([7, 0x80]))),
  ],
} as const;

/** DER of the TBSCertificate, to be signed with ECDSA and SHA-256. */
export function buildTbs(fields: CertificateFields): Buffer {
  return der(
    TAG.sequence,
    VERSION_3,
    derUnsigned(fields.serial),
    ECDSA_WITH_SHA256,
    encodeName(fields.issuer),
    der(TAG.sequence, derTime(fields.notBefore), derTime(fields.notAfter)),
    encodeName(fields.subject),
    fields.spki,
    der(contextTag(3), der(TAG.sequence, ...extensionsOf(fields.profile, fields.spki, fields.issuerSpki))),
  );
}

/** DER of the certificate; `signature` is DER of ECDSA. */
export function sealTbs(tbs: Uint8Array, signature: Uint8Array): Buffer {
  return der(TAG.sequence, tbs, ECDSA_WITH_SHA256, der(TAG.bitString, Buffer.from([0]), signature));
}

/** Reads a TBSCertificate into facts. @throws AgentError `statement.unrecognised` */
export function describeTbs(bytes: Buffer): Statement {
  if (!isX509Tbs(bytes)) throw unrecognised(TBS_KIND, 'they are not a TBSCertificate of version 3');
  const outer = new DerReader(bytes, `reading the bytes as ${TBS_KIND}`, 'statement.unrecognised');
  const reader = outer.inside(TAG.sequence);
  outer.end();
  reader.content(contextTag(0));
  const serial = reader.content(TAG.integer);
  if (serial.length > MAX_SERIAL_BYTES + 1) throw reader.malformed('the serial number is too long');
  if (!reader.element(TAG.sequence).equals(ECDSA_WITH_SHA256))
    throw reader.malformed('it is not for ECDSA with SHA-256');
  const issuer = decodeName(reader);
  const [notBefore, notAfter] = readValidity(reader);
  const subject = decodeName(reader);
  const spki = reader.element(TAG.sequence);
  checkKey(spki);
  const profile = readProfile(reader, spki);
  reader.end();
  const isSelfSigned = profile !== 'leaf';
  if (isSelfSigned && formatName(issuer) !== formatName(subject))
    throw reader.malformed('one that should sign itself names another issuer');
  const repository = profile === 'repository' ? repositoryFrom(subject, reader) : undefined;
  const shown = printable(formatName(subject), 90);
  return {
    kind: TBS_KIND,
    ...(isSelfSigned ? { signer: keyIdOf(spki) } : {}),
    ...(repository === undefined ? {} : { repository }),
    summary: [`certificate ${profile} ${shown}`, `valid until ${notAfter}`],
    facts: {
      profile,
      subject: shown,
      issuer: printable(formatName(issuer), 90),
      notBefore,
      notAfter,
      keyId: keyIdOf(spki),
    },
    blind: false,
  };
}

/** Nothing but the name of the repository, so that nothing else is vouched for. */
function repositoryFrom(subject: DistinguishedName, reader: DerReader): string {
  const { CN, ...others } = subject;
  if (CN === undefined || Object.keys(others).length > 0) throw reader.malformed('the subject is not one CN');
  return CN;
}

function extensionsOf(
  profile: CertificateFields['profile'],
  spki: Uint8Array,
  issuerSpki: Uint8Array,
): readonly Buffer[] {
  const authorityKeyId = der(TAG.sequence, der(0x80, keyIdentifier(issuerSpki)));
  return [
    ...FIXED_EXTENSIONS[profile],
    extension('2.5.29.14', false, der(TAG.octetString, keyIdentifier(spki))),
    extension('2.5.29.35', false, authorityKeyId),
  ];
}

function extension(oid: string, isCritical: boolean, value: Buffer): Buffer {
  return der(TAG.sequence, derOid(oid), isCritical ? TRUE : Buffer.alloc(0), der(TAG.octetString, value));
}

/** RFC 7093 method 1: the first 20 bytes of SHA-256 over the key. */
function keyIdentifier(spki: Uint8Array): Buffer {
  return createHash('sha256').update(rawFromSpki(spki).raw).digest().subarray(0, 20);
}

function checkKey(spki: Buffer): void {
  try {
    importPublicKey(spki);
  } catch {
    throw unrecognised(TBS_KIND, 'the public key is of no kind that this release knows');
  }
}

/** The profile whose extensions these are, byte for byte; the identifier of the issuing key is the one part that may be any. */
function readProfile(reader: DerReader, spki: Buffer): CertificateFields['profile'] {
  const outer = reader.inside(contextTag(3));
  const list = outer.inside(TAG.sequence);
  outer.end();
  const found: Buffer[] = [];
  while (!list.isAtEnd) found.push(list.element(TAG.sequence));
  const last = found.at(-1)?.length ?? 0;
  for (const profile of ['authority', 'leaf', 'repository'] as const) {
    const expected = extensionsOf(profile, spki, spki);
    const isSame =
      expected.length === found.length &&
      expected.slice(0, -1).every((one, index) => found[index]?.equals(one));
    const authorityKey = expected.at(-1);
    if (!isSame || authorityKey?.length !== last) continue;
    // What signs itself names its own key as the one that signs.
    if (profile === 'leaf' || found.at(-1)?.equals(authorityKey) === true) return profile;
  }
  throw list.malformed('the extensions are of no profile');
}

function readValidity(reader: DerReader): readonly [string, string] {
  const pair = reader.inside(TAG.sequence);
  const times = [readTime(pair), readTime(pair)] as const;
  pair.end();
  if (times[0] >= times[1]) throw reader.malformed('it ends before it begins');
  return times;
}

function readTime(reader: DerReader): string {
  const tag = reader.peek() === TAG.utcTime ? TAG.utcTime : TAG.generalizedTime;
  const text = reader.content(tag).toString('latin1');
  const full = tag === TAG.utcTime ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text;
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full);
  if (match === null) throw reader.malformed('a time is not valid');
  const [, year = '', month = '', day = '', hour = '', minute = '', second = ''] = match;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
}
