/**
 * A PIN as it lies in a keychain: one line of ASCII that says what it is and for which token, then the PIN itself.
 *
 *     touchstone-pin-1 <id, 32 hex digits> <serial of the token>
 *     <PIN>
 */
import { AgentError } from '../../errors/agent-error.js';

const FORMAT = 'touchstone-pin-1';
const LINE_FEED = 0x0a;
const HEAD = /^touchstone-pin-1 ([0-9a-f]{32}) ([\x20-\x7e]{0,64})$/;

export interface StoredPinFacts {
  /** Names this storing, so that what was refused once is known again; made at random, tells nothing of the PIN. */
  readonly id: string;
  /** The PIN goes to this token and to no other one. */
  readonly serial: string;
}

export interface StoredPin extends StoredPinFacts {
  /** A copy that the caller overwrites. */
  readonly pin: Buffer;
}

/** The bytes to store; the caller overwrites them. */
export function encodeStoredPin({ id, serial, pin }: StoredPin): Buffer {
  const head = `${FORMAT} ${id} ${serial}\n`;
  const bytes = Buffer.alloc(head.length + pin.length);
  bytes.write(head, 'latin1');
  pin.copy(bytes, head.length);
  return bytes;
}

/** @param bytes as stored; the caller overwrites them. @throws AgentError `keychain.not-sent` when somebody else wrote them */
export function decodeStoredPin(bytes: Buffer): StoredPin {
  const end = bytes.indexOf(LINE_FEED);
  const found = end < 0 ? null : HEAD.exec(bytes.toString('latin1', 0, end));
  const [, id, serial] = found ?? [];
  if (id === undefined || serial === undefined) {
    throw new AgentError('keychain.not-sent', {
      message: 'reading the PIN in the keychain: it was not stored by this agent',
    });
  }
  return { id, serial, pin: Buffer.from(bytes.subarray(end + 1)) };
}
