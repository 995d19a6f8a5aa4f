/** A keeper and front in miniature: orders with the running hash, an audit leaf made by node:crypto, and a log in memory. */
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { EMPTY_HEAD, linkEntry, type AuditEntry, type ChainHead } from '../../src/audit/chain.js';
import {
  checkpointEnvelope,
  checkpointMessage,
  checkpointPayload,
  type AuditKey,
} from '../../src/audit/checkpoint.js';
import { firstOrderHash, nextOrderHash } from '../../src/audit/order-hash.js';
import { keyIdOf } from '../../src/crypto/key-id.js';

export const PEER = { uid: 1000, gid: 1000, pid: 4242, exe: '/usr/bin/touchstone' } as const;
const INSTANCE = '000102030405060708090a0b0c0d0e0f';
const START_TIME = '2026-03-01T12:00:00Z';

/** The audit leaf, outside our own crypto. */
export class AuditSigner {
  readonly #private: KeyObject;
  readonly key: AuditKey;

  constructor() {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = pair.publicKey.export({ type: 'spki', format: 'der' });
    this.#private = pair.privateKey;
    this.key = { keyId: keyIdOf(spki), algorithm: 'ecdsa-p256', publicKey: spki.toString('base64') };
  }

  /** 64-byte r||s. */
  sign(message: Buffer): Buffer {
    return sign('sha256', message, { key: this.#private, dsaEncoding: 'ieee-p1363' });
  }
}

/** Numbers orders and keeps the running hash, as the keeper does. */
export class OrderBook {
  readonly instance: string;
  count = 0;
  #hash: Buffer;

  constructor(instance = INSTANCE) {
    this.instance = instance;
    this.#hash = firstOrderHash(Buffer.from(instance, 'hex'));
  }

  get hash(): string {
    return this.#hash.toString('hex');
  }

  take(keyId: string, message: string | Buffer): { order: number; keyId: string; hash: string } {
    const hash = createHash('sha256').update(message).digest();
    this.count += 1;
    this.#hash = nextOrderHash(this.#hash, this.count, Buffer.from(keyId, 'hex'), hash);
    return { order: this.count, keyId, hash: hash.toString('hex') };
  }

  start(): AuditEntry {
    return {
      type: 'start',
      instance: this.instance,
      orders: this.count,
      ordersHash: this.hash,
      agent: 'touchstone/test',
    };
  }

  signature(message: string): AuditEntry {
    const recorded = this.take('ab'.repeat(32), message);
    const about = { peer: PEER, key: 'example.org/app#cosign', kind: 'oci.simple-signing', rule: 'owner' };
    return { type: 'sign', ...about, summary: [`sign ${message}`], ...recorded };
  }

  checkpoint(signer: AuditSigner, head: ChainHead, time = START_TIME): AuditEntry {
    const state = { instance: this.instance, orders: this.count, ordersHash: this.hash };
    const payload = checkpointPayload({ seq: head.seq, head: head.hash, time, ...state });
    const message = checkpointMessage(payload);
    const { order } = this.take(signer.key.keyId, message);
    return { type: 'checkpoint', order, dsse: checkpointEnvelope(payload, signer.key, signer.sign(message)) };
  }
}

/** Links entries without a disk. */
export class LogBuilder {
  head = EMPTY_HEAD;
  readonly lines: string[] = [];

  add(...entries: readonly AuditEntry[]): this {
    for (const entry of entries) {
      const { text, head } = linkEntry(this.head, START_TIME, entry);
      this.lines.push(text);
      this.head = head;
    }
    return this;
  }

  bytes(): Buffer {
    return Buffer.from(this.lines.map((line) => `${line}\n`).join(''));
  }
}

/** Start, three signatures, a refusal, an act and a checkpoint over all of it. */
export function sealedLog(signer: AuditSigner): { readonly log: LogBuilder; readonly orders: OrderBook } {
  const orders = new OrderBook();
  const log = new LogBuilder().add(orders.start(), orders.signature('one'), orders.signature('two'));
  log.add({
    type: 'refuse',
    peer: PEER,
    key: 'a#b',
    kind: 'sshsig:file',
    code: 'policy.denied',
    message: 'no',
  });
  log.add({ type: 'act', act: 'unlock', peer: PEER, facts: { token: 'main', loaded: 2 } });
  log.add(orders.signature('three'));
  log.add(orders.checkpoint(signer, log.head));
  return { log, orders };
}
