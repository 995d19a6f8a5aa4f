/**
 * Request → Statement: establishes what bytes are by parsing them, and refuses them when they are not what the request
 * says. Kinds differ in their first bytes, so no byte string is of two kinds; a digest may not look like a typed kind.
 */
import { printable } from '../encoding/utf8.js';
import { AgentError } from '../errors/agent-error.js';
import { describeDsse } from './dsse.js';
import {
  DSSE_PREFIX,
  hasTypedPrefix,
  isDigestLength,
  isUserauth,
  isX509Tbs,
  NOTATION_PREFIX,
  SIMPLE_SIGNING_PREFIX,
  SSHSIG_PREFIX,
  startsWith,
} from './prefixes.js';
import { describeNotary, isNotaryKind, notaryKindOf } from './notary1/statement.js';
import { describeSimpleSigning } from './simple-signing.js';
import { describeNotation, NOTATION_KIND } from './notation.js';
import { describeSshsig } from './sshsig.js';
import { describeUserauth, USERAUTH_KIND } from './ssh-userauth.js';
import type { Kind, Statement } from './statement.js';
import { describeTuf, isTufKind, tufKindOf } from './tuf/statement.js';
import { unrecognised } from './unrecognised.js';
import { describeTbs, TBS_KIND } from './x509-tbs.js';

/**
 * The statement that `bytes` are, given that they are of `kind`.
 * @throws AgentError `statement.unrecognised` when they are not, or when the kind is not one this release knows.
 */
export function describe(kind: Kind, bytes: Buffer): Statement {
  const statement = readerOf(kind)(bytes);
  if (statement.kind !== kind) {
    throw unrecognised(printable(kind, 80), `they are of kind ${printable(statement.kind, 80)}`);
  }
  return statement;
}

/** The one kind that `bytes` describe as, or undefined. */
export function kindOf(bytes: Buffer): Kind | undefined {
  const reader = readerByPrefix(bytes);
  try {
    return reader?.(bytes).kind;
  } catch (thrown) {
    if (thrown instanceof AgentError) return undefined;
    throw thrown;
  }
}

type Reader = (bytes: Buffer) => Statement;

const KNOWN_KINDS =
  'oci.simple-signing, dsse:TYPE, sshsig:NAMESPACE, ssh.userauth, notation.payload, x509.tbs, notary.ROLE, tuf.ROLE and digest';

function readerOf(kind: Kind): Reader {
  if (kind === 'oci.simple-signing') return describeSimpleSigning;
  if (kind.startsWith('sshsig:')) return describeSshsig;
  if (kind.startsWith('dsse:')) return describeDsse;
  if (kind === USERAUTH_KIND) return describeUserauth;
  if (kind === NOTATION_KIND) return describeNotation;
  if (kind === TBS_KIND) return describeTbs;
  if (isNotaryKind(kind)) return (bytes) => describeNotary(kind, bytes);
  if (isTufKind(kind)) return (bytes) => describeTuf(kind, bytes);
  if (kind === 'digest') return describeDigest;
  const shown = /^[\x21-\x7e]{1,64}$/.test(kind) ? kind : 'this kind';
  throw new AgentError('statement.unrecognised', {
    message: `reading the bytes as ${shown}: this release knows ${KNOWN_KINDS}`,
  });
}

function readerByPrefix(bytes: Buffer): Reader | undefined {
  if (startsWith(bytes, SIMPLE_SIGNING_PREFIX)) return describeSimpleSigning;
  if (startsWith(bytes, SSHSIG_PREFIX)) return describeSshsig;
  if (startsWith(bytes, DSSE_PREFIX)) return describeDsse;
  if (isUserauth(bytes)) return describeUserauth;
  if (startsWith(bytes, NOTATION_PREFIX)) return describeNotation;
  if (isX509Tbs(bytes)) return describeTbs;
  const notaryKind = notaryKindOf(bytes);
  if (notaryKind !== undefined) return (whole) => describeNotary(notaryKind, whole);
  const tufKind = tufKindOf(bytes);
  if (tufKind !== undefined) return (whole) => describeTuf(tufKind, whole);
  return isDigestLength(bytes) ? describeDigest : undefined;
}

function describeDigest(bytes: Buffer): Statement {
  if (!isDigestLength(bytes)) throw unrecognised('digest', 'they are not 32, 48 or 64 bytes');
  if (hasTypedPrefix(bytes)) throw unrecognised('digest', 'they begin like a typed kind');
  const digest = bytes.toString('hex');
  return {
    kind: 'digest',
    summary: ['bare digest, contents unknown', shownDigest(digest)],
    facts: { digest },
    blind: true,
  };
}

/** A line holds 120 characters, SHA-512 needs more. @param digest in hex */
function shownDigest(digest: string): string {
  const text = `sha${digest.length * 4}:${digest}`;
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}
