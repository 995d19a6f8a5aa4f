/** The keeper's second line: what a front orders that no honest front would. */
import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkpointMessage, checkpointPayload } from '../../src/audit/checkpoint.js';
import { CHECKPOINT_TYPE } from '../../src/audit/record.js';
import { pae } from '../../src/encoding/dsse-pae.js';
import { keyIdOf } from '../../src/crypto/key-id.js';
import { Leaf } from '../../src/crypto/leaf.js';
import { verifySignature } from '../../src/crypto/verify.js';
import { KeyShelf, rawKeyId } from '../../src/keeper/key-shelf.js';
import { Lease, type LeaseGrant } from '../../src/keeper/lease.js';
import { OrderLedger } from '../../src/keeper/order-count.js';
import { OrderDesk } from '../../src/keeper/order-desk.js';
import { decodeJsonFrame, decodeSigned, encodeOrder, FrameType, type Order } from '../../src/keeper/wire.js';
import type { LeafRecord } from '../../src/keys/key-record.js';
import { ANCHOR_TYPE } from '../../src/keys/keyring.js';
import { buildSimpleSigning } from '../../src/formats/simple-signing.js';
import { DIGEST_TEXT } from '../support/signable-bytes.js';
import { leafRecord, softwareKeyring } from '../support/software-keyring.js';

const KIND = 'oci.simple-signing';
const MESSAGE = buildSimpleSigning({ reference: 'docker.io/library/hello', digest: DIGEST_TEXT });
const INSTANCE = randomBytes(16);

interface LoadedKey {
  readonly leaf: Leaf;
  readonly record: LeafRecord;
}

function loadedKey(role: string): LoadedKey {
  const secret = randomBytes(32);
  // Below the order of the curve.
  secret[0] = 0x7f;
  const leaf = Leaf.import('ecdsa-p256', secret);
  const spki = leaf.publicKeySpki();
  const record = leafRecord({ role, keyId: keyIdOf(spki), publicKey: spki.toString('base64') });
  return { leaf, record };
}

describe('an order to the keeper', () => {
  let shelf: KeyShelf;
  let ledger: OrderLedger;
  let desk: OrderDesk;
  let key: LoadedKey;
  let spent: Lease[];

  beforeEach(() => {
    shelf = new KeyShelf();
    ledger = new OrderLedger(INSTANCE);
    spent = [];
    desk = new OrderDesk({
      shelf,
      ledger,
      instance: INSTANCE.toString('hex'),
      unitOf: () => undefined,
      onEvent: () => undefined,
      onSpent: (lease) => {
        spent.push(lease);
      },
      onCheckpoint: () => undefined,
    });
    key = loadedKey('cosign');
    load(key);
  });

  function load({ leaf, record }: LoadedKey): void {
    shelf.put(record).leaf = leaf;
  }

  function lease(changes: Partial<LeaseGrant> = {}): Lease {
    const opened = new Lease({
      token: 'release',
      owner: 0,
      keys: new Set([key.record.keyId]),
      kinds: [],
      uses: undefined,
      expiresAtMs: Date.now() + 60_000,
      blind: false,
      ...changes,
    });
    shelf.cover(opened);
    return opened;
  }

  /** `signed` with a signature that verifies, or the code of the refusal. */
  function outcome(changes: Partial<Order> = {}): string {
    const order: Order = {
      id: 1,
      blind: false,
      deadlineMs: 1000,
      keyId: rawKeyId(key.record.keyId),
      kind: KIND,
      message: MESSAGE,
      ...changes,
    };
    const answers: Buffer[] = [];
    const from = { isOpen: () => true, send: (frame: Buffer) => answers.push(frame.subarray(4)) };
    desk.take(encodeOrder(order.id, order).subarray(4), from);
    const [answer] = answers;
    if (answer === undefined || answers.length !== 1) throw new Error(`${answers.length} answers`);
    if (answer[0] === FrameType.refused) return (decodeJsonFrame(answer).value as { code: string }).code;
    const spki = Buffer.from(key.record.publicKey, 'base64');
    return verifySignature(spki, 'ecdsa-p256', order.message, decodeSigned(answer).signature)
      ? 'signed'
      : 'wrong';
  }

  it('is signed and counted under a lease, and only then', () => {
    expect(outcome()).toBe('key.locked');
    expect(ledger.number).toBe(0);
    lease();
    expect(outcome()).toBe('signed');
    expect(ledger.number).toBe(1);
    expect(outcome({ keyId: 'x'.repeat(32) })).toBe('key.unknown');
    expect(ledger.number).toBe(1);
  });

  it.each([
    { state: 'retired', code: 'key.retired' },
    { state: 'revoked', code: 'key.revoked' },
  ] as const)(
    'for a $state key is refused although a lease covers it, and its leaf is wiped',
    ({ state, code }) => {
      lease();
      const { leaf, record } = key;
      shelf.put({ ...record, state });
      expect(outcome()).toBe(code);
      expect(() => leaf.sign(MESSAGE)).toThrow();
      expect(ledger.number).toBe(0);
    },
  );

  it('must be of the kind that it names, and of the role', () => {
    lease({ blind: true });
    expect(outcome({ message: Buffer.from('{"other":1}') })).toBe('statement.unrecognised');
    expect(outcome({ kind: 'sshsig:file' })).toBe('statement.kind');
    expect(outcome({ kind: 'digest', message: randomBytes(32) })).toBe('statement.kind');
    expect(outcome({ blind: true })).toBe('statement.kind');
  });

  it('for a bare digest needs a lease that says blind', () => {
    const digest = { kind: 'digest', blind: true, message: randomBytes(32) };
    lease();
    expect(outcome(digest)).toBe('lease.kind');
    expect(outcome({ ...digest, message: randomBytes(31) })).toBe('statement.unrecognised');
  });

  it('is held to kinds, uses and time of its lease', () => {
    lease({ kinds: ['dsse:*'] });
    expect(outcome()).toBe('lease.kind');
    const two = lease({ uses: 2 });
    expect([outcome(), outcome(), outcome()]).toEqual(['signed', 'signed', 'lease.uses']);
    expect(spent).toEqual([two]);
    lease({ expiresAtMs: Date.now() - 1 });
    expect(outcome()).toBe('lease.expired');
  });

  it('for the audit leaf signs checkpoints with the count of the keeper, and nothing else', () => {
    lease();
    expect(outcome()).toBe('signed');
    key = loadedKey('audit');
    load(key);
    expect(outcome()).toBe('statement.kind');
    const kind = `dsse:${CHECKPOINT_TYPE}`;
    const { count, hash } = ledger.current();
    const claim = {
      seq: 1,
      head: '0'.repeat(64),
      time: '2026-01-01T00:00:00Z',
      instance: INSTANCE.toString('hex'),
    };
    const checkpoint = (orders: number, ordersHash: string, instance = claim.instance): string =>
      outcome({
        kind,
        message: checkpointMessage(checkpointPayload({ ...claim, instance, orders, ordersHash })),
      });
    expect(checkpoint(count - 1, hash)).toBe('audit.broken');
    expect(checkpoint(count, '0'.repeat(64))).toBe('audit.broken');
    expect(checkpoint(count, hash, '0'.repeat(32))).toBe('audit.broken');
    expect(checkpoint(count, hash)).toBe('signed');
  });

  describe('for the root', () => {
    const notaryRoot = { kind: 'notary.root', message: Buffer.from('{"_type":"Root","version":1}') };
    const digest = { kind: 'digest', blind: true, message: randomBytes(32) };
    let keyId: string;

    beforeEach(() => {
      const { anchor } = softwareKeyring();
      shelf.put(anchor.root);
      keyId = rawKeyId(anchor.root.keyId);
      key = { ...key, record: { ...key.record, keyId: anchor.root.keyId } };
    });

    it('is of the kinds of a root, and of its own anchor', () => {
      lease({ blind: true });
      for (const changes of [{}, digest, { ...notaryRoot, kind: 'notary.targets' }])
        expect(outcome({ keyId, ...changes })).toBe('statement.kind');
      expect(outcome({ keyId, ...notaryRoot, message: Buffer.from('{"_type":"Targets",') })).toBe(
        'statement.unrecognised',
      );
    });

    it('is paid by a lease, as for any key on a token; only its own anchor is not', () => {
      const anchorOrder = {
        keyId,
        kind: `dsse:${ANCHOR_TYPE}`,
        message: pae(ANCHOR_TYPE, Buffer.from('{}')),
      };
      expect(outcome({ keyId, ...notaryRoot })).toBe('key.locked');
      expect(outcome(anchorOrder)).toBe('key.locked');
      const one = lease({ uses: 1, kinds: ['notary.*'] });
      // No token is there to sign, but the lease has paid; the anchor costs nothing.
      expect(outcome(anchorOrder)).toBe('key.locked');
      expect(one.usesLeft).toBe(1);
      expect(outcome({ keyId, ...notaryRoot })).toBe('key.locked');
      expect(one.usesLeft).toBe(0);
      expect(outcome({ keyId, ...notaryRoot })).toBe('lease.uses');
    });

    it('of one repository that was made on a token is refused what the keyring root alone may sign', () => {
      const made = loadedKey('root');
      load(made);
      key = made;
      lease({ blind: true });
      expect(outcome({ kind: `dsse:${ANCHOR_TYPE}`, message: pae(ANCHOR_TYPE, Buffer.from('{}')) })).toBe(
        'statement.kind',
      );
      expect(outcome(digest)).toBe('statement.kind');
      expect(outcome(notaryRoot)).toBe('signed');
    });
  });
});
