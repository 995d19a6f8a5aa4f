/** One sign request of an SSH client as one typed request to the agent. */
import type { Agent } from '../../agent/agent.js';
import type { Peer } from '../../agent/peer.js';
import type { SignJob } from '../../agent/sign.js';
import type { KeyAlgorithm, RsaScheme } from '../../crypto/algorithms.js';
import { AgentError, asAgentError } from '../../errors/agent-error.js';
import { kindOf } from '../../formats/describe.js';
import { plainKeyBlob } from '../../formats/ssh-certificate.js';
import { writeSshSignature } from '../../formats/ssh-signature.js';
import { sshFingerprint, parseUserauth, USERAUTH_KIND } from '../../formats/ssh-userauth.js';
import { LIMITS } from '../../protocol/limits.js';
import type { Identity } from './identities.js';
import type { SshSignRequest } from './messages.js';
import type { SessionBinds } from './session-binds.js';

export interface SshSigning {
  readonly agent: Pick<Agent, 'signing'>;
  readonly peer: Peer;
  readonly binds: SessionBinds;
  readonly onSigned: (blob: Buffer) => void;
  readonly onFailed: (error: AgentError) => void;
}

/**
 * Starts it; one of the two functions is called, at once or later.
 * @returns what can be abandoned
 */
export function signForSsh(
  request: SshSignRequest,
  identity: Identity,
  signing: SshSigning,
): SignJob | undefined {
  const { agent, peer, onSigned, onFailed } = signing;
  const { algorithm, keyId } = identity;
  const { data, rsaHash } = request;
  const kind = kindFor(data);
  const problem = contradiction(request, kind, algorithm, signing.binds);
  if (problem !== undefined) {
    const error = new AgentError('statement.unrecognised', { message: `signing for ssh: ${problem}` });
    void refuseForSsh(agent, peer, { request, identity, error }).then(() => {
      onFailed(error);
    });
    return undefined;
  }
  return agent.signing.submit({
    peer,
    requests: [{ key: identity.key, kind, payload: data, ...schemeOf(request, algorithm) }],
    timeoutMs: LIMITS.maxDeadlineMs,
    onDone: ([signed]) => {
      // The name may belong to the next epoch by now.
      if (signed?.keyId !== keyId) {
        onFailed(new AgentError('key.retired'));
        return;
      }
      onSigned(writeSshSignature({ algorithm, signature: signed.signature, rsaHash }));
    },
    onFailed,
    onWaiting: () => undefined,
  });
}

export interface SshRefusal {
  readonly request: SshSignRequest;
  /** Missing for a key that is none of ours. */
  readonly identity: Identity | undefined;
  readonly error: AgentError;
}

/** Puts a refusal of the door itself on record; resolves when it stands there. */
export function refuseForSsh(
  agent: Pick<Agent, 'signing'>,
  peer: Peer,
  { request, identity, error }: SshRefusal,
): Promise<void> {
  const key = identity?.key ?? sshFingerprint(request.keyBlob);
  return agent.signing.refuse(peer, { key, kind: kindFor(request.data) }, error);
}

/** The flags of a request say how an RSA key signs (RFC 8332); for other keys they mean nothing. */
function schemeOf({ rsaHash }: SshSignRequest, algorithm: KeyAlgorithm): { readonly scheme?: RsaScheme } {
  return algorithm === 'rsa-3072' && rsaHash !== undefined ? { scheme: `rsa-pkcs1-${rsaHash}` } : {};
}

/** What cannot be recognised goes on as a login request, so that its refusal is decided and logged like any other. */
function kindFor(data: Buffer): string {
  const kind = kindOf(data);
  return kind === undefined || kind === 'digest' ? USERAUTH_KIND : kind;
}

/** A certificate and its key are one key here. */
function isSameKey(a: Buffer, b: Buffer): boolean {
  try {
    return a.equals(b) || plainKeyBlob(a).equals(plainKeyBlob(b));
  } catch (thrown) {
    if (asAgentError(thrown).code === 'verify.format') return false;
    throw thrown;
  }
}

/** Why the request is not what its bytes say, or undefined. */
function contradiction(
  request: SshSignRequest,
  kind: string,
  algorithm: Identity['algorithm'],
  binds: SessionBinds,
): string | undefined {
  const { data, keyBlob, rsaHash } = request;
  if (algorithm === 'rsa-3072' && rsaHash === undefined) return 'an RSA key does not sign with SHA-1';
  if (kind !== USERAUTH_KIND || kindOf(data) !== USERAUTH_KIND) return undefined;
  const userauth = parseUserauth(data);
  // ssh asks for a certificate's login with the plain key when the agent has both.
  if (!isSameKey(userauth.keyBlob, keyBlob)) return 'the login names another key';
  return binds.admits(userauth) ? undefined : 'the login is for another session than the one that was bound';
}
