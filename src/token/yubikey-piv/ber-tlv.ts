/** BER-TLV as PIV writes it (SP 800-73-4): tags of one or two bytes, lengths below 64 KiB. */
import { AgentError } from '../../errors/agent-error.js';

const MORE_TAG = 0x1f;

/** One element. */
export function tlv(tag: number, ...values: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(values);
  const name = tag > 0xff ? [tag >> 8, tag & 0xff] : [tag];
  return Buffer.concat([Buffer.from([...name, ...lengthBytes(value.length)]), value]);
}

/** Elements by tag, as views; of two with the same tag the first counts. @throws AgentError `token.device` */
export function parseTlv(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  let at = 0;
  while (at < bytes.length) {
    const first = byteAt(bytes, at++);
    const tag = (first & MORE_TAG) === MORE_TAG ? (first << 8) | byteAt(bytes, at++) : first;
    const { length, size } = readLength(bytes, at);
    at += size;
    if (at + length > bytes.length) throw malformed();
    if (!found.has(tag)) found.set(tag, bytes.subarray(at, at + length));
    at += length;
  }
  return found;
}

/** Content of an element that has to be there. @throws AgentError `token.device` */
export function requireTlv(elements: ReadonlyMap<number, Buffer>, tag: number): Buffer {
  const value = elements.get(tag);
  if (value === undefined) throw malformed();
  return value;
}

function lengthBytes(length: number): readonly number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

function readLength(bytes: Buffer, at: number): { readonly length: number; readonly size: number } {
  const first = byteAt(bytes, at);
  if (first < 0x80) return { length: first, size: 1 };
  if (first === 0x81) return { length: byteAt(bytes, at + 1), size: 2 };
  if (first === 0x82) return { length: (byteAt(bytes, at + 1) << 8) | byteAt(bytes, at + 2), size: 3 };
  throw malformed();
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw malformed();
  return byte;
}

function malformed(): AgentError {
  return new AgentError('token.device', { message: 'reading an answer of the card: it is not well-formed' });
}
