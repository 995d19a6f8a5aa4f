/** A command on its way to the device: 70 bytes in at most ten pieces. */
import { invariant } from '../../errors/agent-error.js';
import { crc16 } from './crc16.js';
import { PIECE_BYTES, pieceReport } from './report.js';

/** Bytes of a payload, shorter ones are filled with zeros; and of the whole frame. */
export const PAYLOAD_BYTES = 64;
const FRAME_BYTES = 70;
const COMMAND_AT = PAYLOAD_BYTES;
const CRC_AT = COMMAND_AT + 1;
const LAST_PIECE = FRAME_BYTES / PIECE_BYTES - 1;

export interface Command {
  readonly command: number;
  /** At most 64 bytes. */
  readonly payload: Uint8Array;
}

/**
 * The reports to write, in order. Pieces of zeros are left out, the first and the last excepted: the device fills what it
 * did not get with zeros, and starts with the last. They may hold a secret; the caller overwrites them.
 */
export function frameReports({ command, payload }: Command): readonly Buffer[] {
  invariant(payload.length <= PAYLOAD_BYTES, 'payload of an OTP frame too long');
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.set(payload);
  frame.writeUInt8(command, COMMAND_AT);
  frame.writeUInt16LE(crc16(frame.subarray(0, PAYLOAD_BYTES)), CRC_AT);
  const reports: Buffer[] = [];
  for (let number = 0; number <= LAST_PIECE; number += 1) {
    const piece = frame.subarray(number * PIECE_BYTES, (number + 1) * PIECE_BYTES);
    const isSent = number === 0 || number === LAST_PIECE || piece.some((byte) => byte !== 0);
    if (isSent) reports.push(pieceReport(piece, number));
  }
  frame.fill(0);
  return reports;
}
