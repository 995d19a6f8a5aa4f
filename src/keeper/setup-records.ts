/** The records of what a set-up has made. */
import { keyIdOf } from '../crypto/key-id.js';
import { AgentError } from '../errors/agent-error.js';
import type { DerivationRecord, ObjectBackend, RootRecord } from '../keys/key-record.js';
import type { HostKeyInfo } from '../tokenhost/messages.js';

/** A slot has no objects; the record wants names all the same. */
const SLOT_OBJECTS = { 1: { id: '01', label: 'slot 1' }, 2: { id: '02', label: 'slot 2' } } as const;

const DERIVATION_BASE = { usage: 'derive', name: 'touchstone/derivation#derive' } as const;

/** The time of a record. */
export function nowText(): string {
  return new Date().toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** @throws AgentError `token.key-missing` */
export function rootRecord(info: HostKeyInfo, uri: string, createdAt: string): RootRecord {
  const publicKey = info.publicKey;
  if (publicKey === undefined)
    throw new AgentError('token.key-missing', { message: 'the root key has no public half' });
  return {
    usage: 'root',
    name: 'touchstone/root#root',
    algorithm: 'ecdsa-p256',
    keyId: keyIdOf(Buffer.from(publicKey, 'base64')),
    publicKey,
    createdAt,
    home: { token: uri, id: info.id, label: info.label },
  };
}

/** For a derivation key that is an object of a PKCS#11 token. */
export function derivationRecord(
  info: HostKeyInfo,
  facts: { uri: string; createdAt: string; backend: ObjectBackend },
): DerivationRecord {
  const { publicKey } = info;
  return {
    ...DERIVATION_BASE,
    backend: facts.backend,
    backup: info.isImported === true ? 'imported' : 'generated',
    createdAt: facts.createdAt,
    home: { token: facts.uri, id: info.id, label: info.label },
    ...(publicKey === undefined ? {} : { publicKey, keyId: keyIdOf(Buffer.from(publicKey, 'base64')) }),
  };
}

/** For an OTP slot. A secret that was there already may be in a spare as well. */
export function slotRecord(facts: {
  readonly uri: string;
  readonly createdAt: string;
  readonly slot: 1 | 2;
  readonly check: string;
  readonly isAdopted: boolean;
}): DerivationRecord {
  return {
    ...DERIVATION_BASE,
    backend: 'otp',
    backup: facts.isAdopted ? 'imported' : 'generated',
    createdAt: facts.createdAt,
    home: { token: facts.uri, ...SLOT_OBJECTS[facts.slot] },
    check: facts.check,
  };
}
