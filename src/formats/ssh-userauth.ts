/**
 * User authentication requests of SSH (RFC 4252 section 7, and the host-bound form of OpenSSH's PROTOCOL): the bytes that a login
 * signs. They name the session, the user and the key, not the host, unless the form is host-bound.
 */
import { createHash } from 'node:crypto';
import { SshReader } from '../encoding/ssh-wire.js';
import { isUserauth, USERAUTH_BYTE } from './prefixes.js';
import type { Statement } from './statement.js';
import { unrecognised } from './unrecognised.js';

export const USERAUTH_KIND = 'ssh.userauth';

const SERVICE = 'ssh-connection';
const METHOD = 'publickey';
const HOST_BOUND_METHOD = 'publickey-hostbound-v00@openssh.com';
const USER = /^[\x21-\x7e]{1,256}$/;

/** Signature algorithm of a request → type of the key in it, where the two differ (RFC 8332 section 3). */
const KEY_TYPES: ReadonlyMap<string, string> = new Map([
  ['rsa-sha2-256', 'ssh-rsa'],
  ['rsa-sha2-512', 'ssh-rsa'],
  ['rsa-sha2-256-cert-v01@openssh.com', 'ssh-rsa-cert-v01@openssh.com'],
  ['rsa-sha2-512-cert-v01@openssh.com', 'ssh-rsa-cert-v01@openssh.com'],
]);
/** With SHA-1: never signed. */
const SHA1_ALGORITHMS: ReadonlySet<string> = new Set(['ssh-rsa', 'ssh-rsa-cert-v01@openssh.com', 'ssh-dss']);

export interface UserauthRequest {
  readonly sessionId: Buffer;
  readonly user: string;
  readonly algorithm: string;
  /** Public key or certificate, as SSH writes it. */
  readonly keyBlob: Buffer;
  /** Of the server; host-bound requests only. */
  readonly hostKeyBlob: Buffer | undefined;
}

/**
 * Reads a request: every field as a real client writes it, nothing after.
 * @throws AgentError `statement.unrecognised`
 */
export function parseUserauth(bytes: Buffer): UserauthRequest {
  if (!isUserauth(bytes))
    throw unrecognised(USERAUTH_KIND, 'they do not begin with a session id and byte 50');
  const reader = new SshReader(bytes, 'the bytes as ssh.userauth', 'statement.unrecognised');
  const sessionId = reader.string();
  if (reader.u8() !== USERAUTH_BYTE) throw unrecognised(USERAUTH_KIND, 'byte 50 is missing');
  const user = userOf(reader.string());
  if (reader.name() !== SERVICE) throw unrecognised(USERAUTH_KIND, 'the service is not ssh-connection');
  const method = reader.name();
  if (method !== METHOD && method !== HOST_BOUND_METHOD) {
    throw unrecognised(USERAUTH_KIND, 'the method is not publickey');
  }
  if (reader.u8() !== 1) throw unrecognised(USERAUTH_KIND, 'the request carries no signature');
  const algorithm = reader.name();
  const keyBlob = reader.string();
  const hostKeyBlob = method === HOST_BOUND_METHOD ? reader.string() : undefined;
  reader.end();
  checkAlgorithm(algorithm, keyBlob);
  return { sessionId, user, algorithm, keyBlob, hostKeyBlob };
}

/** Reads a request into facts. */
export function describeUserauth(bytes: Buffer): Statement {
  const request = parseUserauth(bytes);
  const { user, algorithm, sessionId, hostKeyBlob } = request;
  const host = hostKeyBlob === undefined ? undefined : sshFingerprint(hostKeyBlob);
  const session = sessionId.toString('hex');
  const where = host === undefined ? `session ${session.slice(0, 32)}` : `server key ${host}`;
  return {
    kind: USERAUTH_KIND,
    summary: [`SSH login as ${user.slice(0, 80)}`, where],
    facts: { user, algorithm, session, ...(host === undefined ? {} : { hostKey: host }) },
    blind: false,
  };
}

/** `SHA256:` and base64 without padding, as OpenSSH shows keys. */
export function sshFingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

function userOf(bytes: Buffer): string {
  const user = bytes.toString('latin1');
  if (!USER.test(user)) {
    throw unrecognised(USERAUTH_KIND, 'the user is not 1 to 256 printable ASCII characters without spaces');
  }
  return user;
}

function checkAlgorithm(algorithm: string, keyBlob: Buffer): void {
  if (SHA1_ALGORITHMS.has(algorithm)) throw unrecognised(USERAUTH_KIND, 'the algorithm uses SHA-1');
  const type = new SshReader(keyBlob, 'the bytes as ssh.userauth', 'statement.unrecognised').name();
  if ((KEY_TYPES.get(algorithm) ?? algorithm) !== type) {
    throw unrecognised(USERAUTH_KIND, 'algorithm and key do not belong together');
  }
}
