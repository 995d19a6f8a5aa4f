/**
 * Sessions that a client bound to its connection (`session-bind@openssh.com`, PROTOCOL.agent of OpenSSH): the server's own signature
 * says which server a session is with, so that a login request for another session, or another server, can be told apart.
 */
import type { SshReader } from '../../encoding/ssh-wire.js';
import { asAgentError } from '../../errors/agent-error.js';
import { verifyHostSignature } from '../../formats/ssh-host-signature.js';
import type { UserauthRequest } from '../../formats/ssh-userauth.js';

const MAX_BINDS = 16;
const MAX_SESSION_ID_BYTES = 64;

interface SessionBind {
  readonly hostKey: Buffer;
  readonly sessionId: Buffer;
  readonly isForwarded: boolean;
}

export class SessionBinds {
  readonly #binds: SessionBind[] = [];
  /** A bind that failed: nobody can say any more where this connection leads. */
  #spoilt = false;

  /** @param body of the extension, after its name; @returns whether it was taken */
  add(body: SshReader): boolean {
    const bind = readBind(body);
    if (bind === undefined || this.#binds.length >= MAX_BINDS) return this.#spoil();
    const known = this.#binds.find(({ sessionId }) => sessionId.equals(bind.sessionId));
    if (known !== undefined) return known.hostKey.equals(bind.hostKey) || this.#spoil();
    // A connection that was bound for a login leads to that server and not further.
    if (this.#binds.some(({ isForwarded }) => !isForwarded)) return this.#spoil();
    this.#binds.push(bind);
    return true;
  }

  /** Whether a login request fits what was bound; without a bind there is nothing it could contradict. */
  admits(request: UserauthRequest): boolean {
    if (this.#spoilt) return false;
    const last = this.#binds.at(-1);
    // Behind a forwarded session an older client binds nothing: what it asks for cannot be told.
    if (last === undefined || last.isForwarded) return true;
    if (!last.sessionId.equals(request.sessionId)) return false;
    return request.hostKeyBlob === undefined || last.hostKey.equals(request.hostKeyBlob);
  }

  #spoil(): false {
    this.#spoilt = true;
    return false;
  }
}

/** Undefined when it cannot be read or the server's signature does not hold. */
function readBind(body: SshReader): SessionBind | undefined {
  try {
    const hostKey = Buffer.from(body.string());
    const sessionId = Buffer.from(body.string());
    const signature = body.string();
    const isForwarded = body.u8() !== 0;
    body.end();
    if (sessionId.length === 0 || sessionId.length > MAX_SESSION_ID_BYTES) return undefined;
    return verifyHostSignature(hostKey, sessionId, signature)
      ? { hostKey, sessionId, isForwarded }
      : undefined;
  } catch (thrown) {
    if (asAgentError(thrown).code === 'usage.invalid') return undefined;
    throw thrown;
  }
}
