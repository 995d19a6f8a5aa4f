/**
 * `ssh-add -x`: the door stays shut for a user until the same passphrase comes again, also for a front that was started again in between.
 * Only a salted scrypt hash of it is kept.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent } from '../../agent/agent.js';
import type { Peer } from '../../agent/peer.js';

const SALT_BYTES = 16;
const HASH_BYTES = 32;
const SCRYPT = { N: 16_384, r: 8, p: 1 } as const;
const PAUSE_MS = 100;
const MAX_PAUSE_MS = 10_000;

export class PassphraseLock {
  readonly #locks: Agent['sshLocks'];
  readonly #failures = new Map<number, number>();
  /** Attempts of one user wait for each other, or many connections would guess at once. */
  readonly #busy = new Map<number, Promise<unknown>>();

  constructor(locks: Agent['sshLocks']) {
    this.#locks = locks;
  }

  isLocked(uid: number): boolean {
    return this.#locks.of(uid) !== undefined;
  }

  /** @param passphrase overwritten; @returns false when it is locked already */
  lock(peer: Peer, passphrase: Buffer): Promise<boolean> {
    return this.#inTurn(peer.uid, async () => {
      const salt = randomBytes(SALT_BYTES);
      const hash = await hashOf(passphrase, salt);
      if (this.isLocked(peer.uid)) return false;
      const { uid } = peer;
      await this.#locks.shut(peer, { uid, salt: salt.toString('base64'), hash: hash.toString('base64') });
      return true;
    });
  }

  /** Each wrong passphrase makes the next answer wait longer. @param passphrase overwritten */
  unlock(peer: Peer, passphrase: Buffer): Promise<boolean> {
    const { uid } = peer;
    return this.#inTurn(uid, async () => {
      const lock = this.#locks.of(uid);
      if (lock === undefined) {
        passphrase.fill(0);
        return false;
      }
      const failures = this.#failures.get(uid) ?? 0;
      await sleep(Math.min(failures * PAUSE_MS, MAX_PAUSE_MS));
      const hash = await hashOf(passphrase, Buffer.from(lock.salt, 'base64'));
      if (!timingSafeEqual(hash, Buffer.from(lock.hash, 'base64'))) {
        this.#failures.set(uid, failures + 1);
        this.#locks.noteWrongPassphrase(peer);
        return false;
      }
      await this.#locks.open(peer);
      this.#failures.delete(uid);
      return true;
    });
  }

  async #inTurn(uid: number, step: () => Promise<boolean>): Promise<boolean> {
    const before = this.#busy.get(uid) ?? Promise.resolve();
    const turn = before.then(step, step);
    this.#busy.set(uid, turn);
    try {
      return await turn;
    } finally {
      if (this.#busy.get(uid) === turn) this.#busy.delete(uid);
    }
  }
}

function hashOf(passphrase: Buffer, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, HASH_BYTES, SCRYPT, (error, hash) => {
      passphrase.fill(0);
      if (error === null) resolve(hash);
      else reject(error);
    });
  });
}
