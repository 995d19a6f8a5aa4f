/**
 * Changes to the keyring: each is a pure step, signed by the audit leaf (or, at setup, by the root), saved atomically, and then
 * read again by keeper and front. One change at a time.
 */
import type { KeyringAnchor, KeyringRecords, LeafRecord, RootRecord } from '../keys/key-record.js';
import type { KeyringEnvelope } from '../keys/key-schema.js';
import {
  anchorHash,
  envelopeOf,
  unsignedAnchor,
  unsignedRecords,
  type UnsignedPart,
} from '../keys/keyring-file.js';
import { emptyRecords } from '../keys/keyring-change.js';
import { keyNameOf } from '../keys/key-name.js';
import type { Keyring } from '../keys/keyring.js';
import type { KeyringFile } from '../state/keyring-file.js';
import type { AuditTrail } from './audit-trail.js';
import type { KeeperLink } from './keeper-link.js';
import type { KeyBook } from './key-book.js';
import { orderOwn } from './own-order.js';

/** Names the agent itself where a rule of the policy would stand. */
const AGENT_RULE = 'agent';

export interface KeyringEditorParts {
  readonly keeper: KeeperLink;
  readonly trail: AuditTrail;
  readonly keys: KeyBook;
  readonly file: KeyringFile;
}

export class KeyringEditor {
  readonly #parts: KeyringEditorParts;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: KeyringEditorParts) {
    this.#parts = parts;
  }

  /** Reads the file into the key book. @throws AgentError `keyring.signature`, `state.damaged`, `state.version` */
  load(): void {
    this.#parts.keys.load(this.#parts.file.load());
  }

  /** Runs `work` when every change before it has ended. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(work, work);
    this.#turn = run.catch(() => undefined);
    return run;
  }

  /** Makes the first keyring: the root signs the anchor, the audit leaf the empty records. */
  async create(anchor: KeyringAnchor): Promise<void> {
    const part = unsignedAnchor(anchor);
    const anchorEnvelope = await this.#sign(part, anchor.root);
    const records = emptyRecords(anchorHash(part.payload));
    const recordsEnvelope = await this.#sign(unsignedRecords(records), anchor.audit);
    await this.#use(this.#parts.file.create(anchorEnvelope, recordsEnvelope));
  }

  /** Applies one step to the records. Call it inside `exclusive`. */
  async change(step: (records: KeyringRecords) => KeyringRecords): Promise<void> {
    const { keyring } = this.#parts.keys;
    const envelope = await this.#sign(unsignedRecords(step(keyring.records)), keyring.anchor.audit);
    await this.#use(this.#parts.file.saveRecords(envelope));
  }

  async #use(keyring: Keyring): Promise<void> {
    this.#parts.keys.load(keyring);
    await this.#parts.keeper.call('keyring.reload', {});
  }

  async #sign(part: UnsignedPart, signer: RootRecord | LeafRecord): Promise<KeyringEnvelope> {
    const { keeper, trail } = this.#parts;
    trail.requireWritable();
    const signed = await orderOwn(keeper, {
      signer,
      payloadType: part.payloadType,
      message: part.pae,
      onSigned: (answer) => {
        trail.stageOrder(
          {
            type: 'sign',
            peer: agentPeer(),
            key: keyNameOf(signer),
            keyId: signer.keyId,
            kind: `dsse:${part.payloadType}`,
            rule: AGENT_RULE,
            summary: ['keyring of this agent'],
            hash: answer.messageHash,
            order: answer.order,
          },
          answer,
        );
      },
    });
    await trail.flush();
    return envelopeOf(part, signer, signed.signature);
  }
}

function agentPeer(): { uid: number; gid: number; pid: number } {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, pid: process.pid };
}
