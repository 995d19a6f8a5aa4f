/**
 * `ssh-add -x`: the door stays shut for a user until the same passphrase comes again. Only a salted scrypt hash of it is kept, in
 * this process alone: a front that is started again is unlocked.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

interface LockState {
  readonly salt: Buffer;
  readonly hash: Buffer;
  failures: number;
}

const SALT_BYTES = 16;
const HASH_BYTES = 32;
const SCRYPT = { N: 16_384, r: 8, p: 1 } as const;
const PAUSE_MS = 100;
const MAX_PAUSE_MS = 10_000;

export class PassphraseLock {
  readonly #byUid = new Map<number, LockState>();
  /** Attempts of one user wait for each other, or many connections would guess at once. */
  readonly #busy = new Map<number, Promise<unknown>>();

  isLocked(uid: number): boolean {
    return this.#byUid.has(uid);
  }

  /** @param passphrase overwritten; @returns false when it is locked already */
  lock(uid: number, passphrase: Buffer): Promise<boolean> {
    return this.#inTurn(uid, async () => {
      const salt = randomBytes(SALT_BYTES);
      const hash = await hashOf(passphrase, salt);
      if (this.#byUid.has(uid)) return false;
      this.#byUid.set(uid, { salt, hash, failures: 0 });
      return true;
    });
  }

  /** Each wrong passphrase makes the next answer wait longer. @param passphrase overwritten */
  unlock(uid: number, passphrase: Buffer): Promise<boolean> {
    return this.#inTurn(uid, async () => {
      const state = this.#byUid.get(uid);
      if (state === undefined) {
        passphrase.fill(0);
        return false;
      }
      await sleep(Math.min(state.failures * PAUSE_MS, MAX_PAUSE_MS));
      const hash = await hashOf(passphrase, state.salt);
      if (!timingSafeEqual(hash, state.hash)) {
        state.failures += 1;
        return false;
      }
      this.#byUid.delete(uid);
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
