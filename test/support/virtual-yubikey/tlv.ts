/** BER-TLV as PIV writes it: tags of one or two bytes, lengths below 64 KiB. */
import { StatusWordError, SW } from './status-word.js';

export interface Tlv {
  readonly tag: number;
  readonly value: Buffer;
}

/** One element. */
export function tlv(tag: number, ...values: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(values);
  const name = tag > 0xff ? [tag >> 8, tag & 0xff] : [tag];
  return Buffer.concat([Buffer.from([...name, ...lengthBytes(value.length)]), value]);
}

/** Elements one after another. @throws StatusWordError 6a80 */
function parseTlvs(bytes: Buffer): readonly Tlv[] {
  const found: Tlv[] = [];
  let at = 0;
  while (at < bytes.length) {
    const first = byteAt(bytes, at++);
    const tag = (first & 0x1f) === 0x1f ? (first << 8) | byteAt(bytes, at++) : first;
    const { length, size } = readLength(bytes, at);
    at += size;
    const value = bytes.subarray(at, at + length);
    if (value.length !== length) throw new StatusWordError(SW.wrongData);
    found.push({ tag, value });
    at += length;
  }
  return found;
}

/** Elements by tag; of two with the same tag the last counts. @throws StatusWordError 6a80 */
export function parseTlvMap(bytes: Buffer): ReadonlyMap<number, Buffer> {
  return new Map(parseTlvs(bytes).map(({ tag, value }) => [tag, value]));
}

/** Content of an element that has to be there, first or alone. @throws StatusWordError 6a80 */
export function contentOf(bytes: Buffer, tag: number): Buffer {
  const found = parseTlvMap(bytes).get(tag);
  if (found === undefined) throw new StatusWordError(SW.wrongData);
  return found;
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
  throw new StatusWordError(SW.wrongData);
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new StatusWordError(SW.wrongData);
  return byte;
}
