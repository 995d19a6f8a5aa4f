/** An answer on its way from the device: pieces of seven bytes, with a complemented CRC behind the data. */
import { AgentError } from '../../errors/agent-error.js';
import { CRC_RESIDUE, crc16 } from './crc16.js';
import { PIECE_BYTES } from './report.js';

const CRC_BYTES = 2;
/** Longest answer the protocol can number: pieces 0 to 31. */
const MAX_PIECES = 32;

/** Pieces as they come. Holds secrets: overwrite it with `wipe`. */
export class AnswerPieces {
  readonly #bytes = Buffer.alloc(MAX_PIECES * PIECE_BYTES);
  #pieces = 0;

  /** Takes one report. Answers whether the answer is complete. @throws AgentError `token.busy` when a piece is missing */
  take(report: Uint8Array, number: number): boolean {
    if (number === 0 && this.#pieces > 0) return true;
    if (number !== this.#pieces) throw damaged('a piece is missing');
    this.#bytes.set(report.subarray(0, PIECE_BYTES), this.#pieces * PIECE_BYTES);
    this.#pieces += 1;
    return false;
  }

  /** A copy of the first `length` bytes, the CRC behind them checked. @throws AgentError `token.busy` when it is wrong */
  data(length: number): Buffer {
    const end = length + CRC_BYTES;
    if (this.#pieces * PIECE_BYTES < end) throw damaged('it is too short');
    if (crc16(this.#bytes.subarray(0, end)) !== CRC_RESIDUE) throw damaged('its checksum is wrong');
    return Buffer.from(this.#bytes.subarray(0, length));
  }

  wipe(): void {
    this.#bytes.fill(0);
    this.#pieces = 0;
  }
}

function damaged(how: string): AgentError {
  return new AgentError('token.busy', {
    message: `reading an answer of the OTP slot: ${how}; another program may be using the key`,
  });
}
