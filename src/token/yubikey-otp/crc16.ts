/** CRC-16 of the OTP protocol: reflected polynomial 0x8408, start 0xFFFF, no final inversion (ISO/IEC 13239 without it). */

/** What the CRC of an answer together with its own complemented CRC comes to. */
export const CRC_RESIDUE = 0xf0b8;

const START = 0xffff;
const POLYNOMIAL = 0x8408;

/** 16 bits over `bytes`. */
export function crc16(bytes: Uint8Array): number {
  let crc = START;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
  }
  return crc;
}
