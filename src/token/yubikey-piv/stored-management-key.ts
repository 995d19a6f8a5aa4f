/**
 * A management key that is kept on the card and read with the PIN, in the two objects in which Yubico's programs keep it: one that
 * anybody reads says that it is there, and the one for printed information, which wants the PIN, holds it.
 */
import { secretBuffer } from '../../crypto/secret-bytes.js';
import { AgentError } from '../../errors/agent-error.js';
import type { Exchange } from './apdu.js';
import { parseTlv, requireTlv, tlv } from './ber-tlv.js';
import { putData, readObject, writeObject } from './card-objects.js';

const ADMIN_OBJECT = '5fff00';
const PROTECTED_OBJECT = '5fc109';
const ADMIN = { outer: 0x80, flags: 0x81, pinChanged: 0x83 } as const;
const PROTECTED = { outer: 0x88, key: 0x89 } as const;
const KEY_STORED = 0x02;

/** Whether the card says that its management key can be read with the PIN. */
export function isManagementKeyStored(exchange: Exchange): boolean {
  const flags = adminElements(exchange).get(ADMIN.flags)?.[0] ?? 0;
  return (flags & KEY_STORED) !== 0;
}

/** The stored key, in memory that the caller overwrites; the PIN has to be verified. @throws AgentError `token.management-key` */
export function readStoredManagementKey(exchange: Exchange): Buffer {
  const object = readObject(exchange, PROTECTED_OBJECT);
  try {
    const found = object === undefined ? undefined : protectedElements(object).get(PROTECTED.key);
    if (found === undefined) {
      throw new AgentError('token.management-key', {
        message: 'management key: the card says that it is stored on it, but it is not there',
      });
    }
    const key = secretBuffer(found.length);
    found.copy(key);
    return key;
  } finally {
    object?.fill(0);
  }
}

/** Stores a key, and says that it is there. PIN and management key have to be proved. @throws AgentError `token.device` */
export function storeManagementKey(exchange: Exchange, key: Uint8Array): void {
  const command = protectedCommand(key);
  try {
    putData(exchange, PROTECTED_OBJECT, command);
  } finally {
    command.fill(0);
  }
  const before = adminElements(exchange);
  const flags = Buffer.of((before.get(ADMIN.flags)?.[0] ?? 0) | KEY_STORED);
  const pinChanged = before.get(ADMIN.pinChanged);
  const elements = [
    tlv(ADMIN.flags, flags),
    // No salt: it would say that the key is made from the PIN, which it no longer is.
    ...(pinChanged === undefined ? [] : [tlv(ADMIN.pinChanged, pinChanged)]),
  ];
  writeObject(exchange, ADMIN_OBJECT, tlv(ADMIN.outer, ...elements));
}

/** PUT DATA of the protected object, in one piece of memory: a key has at most 32 bytes, so every length is one byte. */
function protectedCommand(key: Uint8Array): Buffer {
  const id = Buffer.from(PROTECTED_OBJECT, 'hex');
  const head = Buffer.of(0x5c, id.length, ...id, 0x53, key.length + 4, PROTECTED.outer, key.length + 2);
  const command = secretBuffer(head.length + 2 + key.length);
  head.copy(command);
  command.set([PROTECTED.key, key.length], head.length);
  command.set(key, head.length + 2);
  return command;
}

function adminElements(exchange: Exchange): ReadonlyMap<number, Buffer> {
  const object = readObject(exchange, ADMIN_OBJECT);
  return object === undefined ? new Map() : parseTlv(requireTlv(parseTlv(object), ADMIN.outer));
}

function protectedElements(object: Buffer): ReadonlyMap<number, Buffer> {
  const outer = parseTlv(object).get(PROTECTED.outer);
  return outer === undefined ? new Map<number, Buffer>() : parseTlv(outer);
}
