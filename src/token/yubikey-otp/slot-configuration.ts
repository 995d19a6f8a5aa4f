/** What is written into a slot to make it answer challenges as derive v1 needs it. */
import { secretBuffer } from '../../crypto/secret-bytes.js';
import { invariant } from '../../errors/agent-error.js';
import { crc16 } from './crc16.js';

/** Length of the slot's secret: an HMAC-SHA1 key. */
export const SLOT_SECRET_BYTES = 20;

const CONFIGURATION_BYTES = 52;
const ACCESS_CODE_BYTES = 6;
const UID_AT = 16;
const KEY_AT = 22;
const KEY_FIELD_BYTES = 16;
const EXTENDED_FLAGS_AT = 45;
const TICKET_FLAGS_AT = 46;
const CONFIGURATION_FLAGS_AT = 47;
const CRC_AT = 50;

const SERIAL_VISIBLE_TO_PROGRAMS = 0x04;
const CHALLENGE_RESPONSE = 0x40;
const HMAC_SHA1 = 0x22;
const VARIABLE_LENGTH = 0x04;
const NEEDS_TOUCH = 0x08;

/**
 * HMAC-SHA1 challenge-response of variable length that waits for a touch, behind it an empty access code: a slot that is
 * protected by one refuses. 58 bytes that the caller overwrites.
 */
export function hmacConfiguration(secret: Uint8Array): Buffer {
  invariant(secret.length === SLOT_SECRET_BYTES, 'slot secret of another length');
  const written = secretBuffer(CONFIGURATION_BYTES + ACCESS_CODE_BYTES);
  written.set(secret.subarray(0, KEY_FIELD_BYTES), KEY_AT);
  // The key field has 16 bytes; the rest stands where other modes have their private identity.
  written.set(secret.subarray(KEY_FIELD_BYTES), UID_AT);
  written.writeUInt8(SERIAL_VISIBLE_TO_PROGRAMS, EXTENDED_FLAGS_AT);
  written.writeUInt8(CHALLENGE_RESPONSE, TICKET_FLAGS_AT);
  written.writeUInt8(HMAC_SHA1 | VARIABLE_LENGTH | NEEDS_TOUCH, CONFIGURATION_FLAGS_AT);
  written.writeUInt16LE(~crc16(written.subarray(0, CRC_AT)) & 0xffff, CRC_AT);
  return written;
}
