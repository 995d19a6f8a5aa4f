/**
 * One SSH client. Replies leave in the order of the requests; signatures may be in work side by side, everything else waits for what
 * came before it. A client that does not read, or asks faster than it is answered, is not read from either.
 */
import type { Socket } from 'node:net';
import type { Agent } from '../../agent/agent.js';
import type { Peer } from '../../agent/peer.js';
import type { SignJob } from '../../agent/sign.js';
import { FrameDecoder } from '../../encoding/frame.js';
import type { SshReader } from '../../encoding/ssh-wire.js';
import { AgentError, asAgentError } from '../../errors/agent-error.js';
import { LIMITS } from '../../protocol/limits.js';
import type { Note } from '../callers.js';
import type { Identities, Identity } from './identities.js';
import {
  decodeRequest,
  encodeIdentities,
  encodeQuery,
  encodeSignature,
  EXTENSION_FAILURE,
  FAILURE,
  MAX_MESSAGE_BYTES,
  SUCCESS,
  type SshAgentRequest,
  type SshSignRequest,
} from './messages.js';
import type { PassphraseLock } from './passphrase-lock.js';
import { SessionBinds } from './session-binds.js';
import { refuseForSsh, signForSsh } from './signing.js';

/** Requests that may wait for their reply. */
const MAX_WAITING = 64;
/** Time for a request that has begun to arrive, milliseconds. */
const PARTIAL_MS = 30_000;
const SESSION_BIND = 'session-bind@openssh.com';
const EXTENSIONS = ['query', SESSION_BIND] as const;

export interface SshConnectionParts {
  readonly agent: Agent;
  readonly identities: Identities;
  readonly lock: PassphraseLock;
  readonly note: Note;
}

/** Place of a reply in the order of the requests. */
interface Slot {
  reply: Buffer | undefined;
  job: SignJob | undefined;
}

export class SshConnection {
  readonly #socket: Socket;
  readonly #peer: Peer;
  readonly #parts: SshConnectionParts;
  readonly #decoder = new FrameDecoder(MAX_MESSAGE_BYTES);
  readonly #binds = new SessionBinds();
  readonly #queue: SshAgentRequest[] = [];
  readonly #slots: Slot[] = [];
  #isTurnTaken = false;
  #isWorking = false;
  #partial: NodeJS.Timeout | undefined;

  constructor(socket: Socket, peer: Peer, parts: SshConnectionParts) {
    this.#socket = socket;
    this.#peer = peer;
    this.#parts = parts;
    socket.on('data', (chunk) => {
      this.#onData(chunk);
    });
    socket.on('drain', () => {
      this.#balance();
    });
    socket.once('close', () => {
      this.#onClose();
    });
  }

  #onData(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk, (frame) => {
        this.#queue.push(this.#decode(frame));
      });
    } catch (thrown) {
      this.#parts.note('ssh client sent garbage', {
        pid: this.#peer.pid,
        reason: asAgentError(thrown).message,
      });
      this.#socket.destroy();
      return;
    }
    this.#watchPartial();
    this.#work();
  }

  /** What cannot be read gets a failure in its turn. */
  #decode(frame: Buffer): SshAgentRequest {
    try {
      return decodeRequest(frame);
    } catch (thrown) {
      if (asAgentError(thrown).code === 'usage.invalid') return { type: 'unsupported' };
      throw thrown;
    }
  }

  #watchPartial(): void {
    if (this.#decoder.isIdle) {
      clearTimeout(this.#partial);
      this.#partial = undefined;
      return;
    }
    this.#partial ??= setTimeout(() => {
      this.#socket.destroy();
    }, PARTIAL_MS);
  }

  #work(): void {
    if (this.#isWorking) return;
    this.#isWorking = true;
    while (!this.#isTurnTaken && this.#slots.length < MAX_WAITING) {
      const [next] = this.#queue;
      if (next === undefined || (next.type !== 'sign' && this.#slots.length > 0)) break;
      this.#queue.shift();
      this.#answer(next);
    }
    this.#isWorking = false;
    this.#balance();
  }

  #answer(request: SshAgentRequest): void {
    const slot: Slot = { reply: undefined, job: undefined };
    this.#slots.push(slot);
    switch (request.type) {
      case 'sign':
        this.#sign(slot, request);
        return;
      case 'list':
        this.#inTurn(slot, () => this.#list());
        return;
      case 'lock':
      case 'unlock':
        this.#inTurn(slot, () => this.#turnLock(request.type, request.passphrase));
        return;
      case 'extension':
        this.#reply(slot, this.#extension(request.name, request.body));
        return;
      case 'unsupported':
        this.#reply(slot, FAILURE);
        return;
    }
  }

  async #list(): Promise<Buffer> {
    if (this.#isLocked) return encodeIdentities([]);
    return encodeIdentities(await this.#parts.identities.list(this.#peer));
  }

  async #turnLock(type: 'lock' | 'unlock', passphrase: Buffer): Promise<Buffer> {
    const { lock, note } = this.#parts;
    const { uid, pid } = this.#peer;
    const done = await lock[type](this.#peer, passphrase);
    note(`ssh door: ${type}`, { uid, pid, done: done ? 1 : 0 });
    return done ? SUCCESS : FAILURE;
  }

  #extension(name: string, body: SshReader): Buffer {
    if (this.#isLocked) return EXTENSION_FAILURE;
    if (name === 'query') return encodeQuery(EXTENSIONS);
    if (name === SESSION_BIND) return this.#binds.add(body) ? SUCCESS : EXTENSION_FAILURE;
    return EXTENSION_FAILURE;
  }

  #sign(slot: Slot, request: SshSignRequest): void {
    const identity = this.#parts.identities.find(request.keyBlob);
    if (this.#isLocked) {
      this.#refuseHere(slot, request, new AgentError('peer.door-locked'), identity);
      return;
    }
    if (identity !== undefined) {
      this.#signWith(slot, request, identity);
      return;
    }
    // A key that was made since the last look.
    this.#inTurn(slot, async () => {
      await this.#parts.identities.list(this.#peer);
      const found = this.#parts.identities.find(request.keyBlob);
      if (found === undefined) this.#refuseHere(slot, request, new AgentError('key.unknown'));
      else this.#signWith(slot, request, found);
      return undefined;
    });
  }

  #signWith(slot: Slot, request: SshSignRequest, identity: Identity): void {
    slot.job = signForSsh(request, identity, {
      agent: this.#parts.agent,
      peer: this.#peer,
      binds: this.#binds,
      onSigned: (blob) => {
        this.#reply(slot, encodeSignature(blob));
      },
      onFailed: (error) => {
        this.#refuse(slot, error);
      },
    });
  }

  /** Refused by this door itself: nobody else has logged it. */
  #refuseHere(slot: Slot, request: SshSignRequest, error: AgentError, identity?: Identity): void {
    void refuseForSsh(this.#parts.agent, this.#peer, { request, identity, error }).then(() => {
      this.#refuse(slot, error);
    });
  }

  /** The protocol has one byte for every refusal; the reason is in the logs. */
  #refuse(slot: Slot, error: AgentError): void {
    const { pid, uid } = this.#peer;
    this.#parts.note('ssh request refused', { uid, pid, code: error.code, reason: error.message });
    this.#reply(slot, FAILURE);
  }

  /** Nothing else begins before this step is over; it may leave the reply to somebody else. */
  #inTurn(slot: Slot, step: () => Promise<Buffer | undefined>): void {
    this.#isTurnTaken = true;
    step().then(
      (reply) => {
        this.#isTurnTaken = false;
        if (reply !== undefined) this.#reply(slot, reply);
        this.#work();
      },
      (error: unknown) => {
        this.#isTurnTaken = false;
        this.#refuse(slot, asAgentError(error));
        this.#work();
      },
    );
  }

  #reply(slot: Slot, reply: Buffer): void {
    slot.reply = reply;
    slot.job = undefined;
    if (this.#slots[0] !== slot) return;
    const ready = this.#slots.findIndex((waiting) => waiting.reply === undefined);
    const replies = this.#slots.splice(0, ready === -1 ? this.#slots.length : ready);
    if (this.#socket.destroyed) return;
    for (const done of replies) if (done.reply !== undefined) this.#write(done.reply);
    this.#work();
  }

  /** Replies of one turn leave in one write. */
  #write(reply: Buffer): void {
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork();
      process.nextTick(() => {
        this.#socket.uncork();
      });
    }
    this.#socket.write(reply);
  }

  get #isLocked(): boolean {
    return this.#parts.lock.isLocked(this.#peer.uid);
  }

  #balance(): void {
    const isBehind =
      this.#queue.length > 0 ||
      this.#slots.length >= MAX_WAITING ||
      this.#socket.writableLength >= LIMITS.unreadOutputBytes;
    if (isBehind) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #onClose(): void {
    clearTimeout(this.#partial);
    this.#decoder[Symbol.dispose]();
    this.#queue.length = 0;
    for (const { job } of this.#slots) job?.abandon(new AgentError('limits.cancelled'));
    this.#slots.length = 0;
  }
}
