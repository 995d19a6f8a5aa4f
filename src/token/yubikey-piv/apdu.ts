/**
 * Command APDUs and their answers (ISO 7816-4, short form): data longer than 255 bytes goes out in a chain, and an answer longer
 * than 256 bytes is fetched piece by piece. Pure: `exchange` carries one APDU.
 */
import { AgentError } from '../../errors/agent-error.js';

export const INS = {
  verify: 0x20,
  changeReference: 0x24,
  generate: 0x47,
  authenticate: 0x87,
  select: 0xa4,
  getResponse: 0xc0,
  getData: 0xcb,
  putData: 0xdb,
  metadata: 0xf7,
  serial: 0xf8,
  attest: 0xf9,
  version: 0xfd,
  setManagementKey: 0xff,
} as const;

export const SW_OK = 0x9000;

const CLA_CHAINED = 0x10;
const MAX_DATA_BYTES = 255;
/** All that fits. */
const LE_MAX = 0x00;
const SW_MORE = 0x61;
/** An answer of more pieces is no answer of this card: its longest object has 3 KB. */
const MAX_PIECES = 32;

export interface Command {
  readonly ins: number;
  readonly p1?: number;
  readonly p2?: number;
  readonly data?: Uint8Array;
}

export interface Answer {
  readonly data: Buffer;
  readonly statusWord: number;
}

export type Exchange = (apdu: Buffer) => Buffer;

/** The APDUs of one command, to be sent one after the other; all but the last answer 9000. */
export function commandApdus({ ins, p1 = 0, p2 = 0, data = new Uint8Array() }: Command): readonly Buffer[] {
  const apdus: Buffer[] = [];
  let at = 0;
  for (; data.length - at > MAX_DATA_BYTES; at += MAX_DATA_BYTES) {
    const part = data.subarray(at, at + MAX_DATA_BYTES);
    apdus.push(Buffer.concat([Buffer.of(CLA_CHAINED, ins, p1, p2, part.length), part]));
  }
  const rest = data.subarray(at);
  const length = rest.length === 0 ? [] : [rest.length];
  apdus.push(Buffer.concat([Buffer.of(0, ins, p1, p2, ...length), rest, Buffer.of(LE_MAX)]));
  return apdus;
}

/**
 * Sends a command and collects its whole answer.
 * @throws AgentError `token.device` for an answer that is none, and what `exchange` throws
 */
export function transceive(exchange: Exchange, command: Command): Answer {
  let answer: Answer = { data: Buffer.alloc(0), statusWord: SW_OK };
  for (const apdu of commandApdus(command)) {
    try {
      answer = parseAnswer(exchange(apdu));
    } finally {
      // It may hold a PIN, also where the card is gone.
      apdu.fill(0);
    }
    if (answer.statusWord !== SW_OK && answer.statusWord >> 8 !== SW_MORE) return answer;
  }
  const pieces = [answer.data];
  while (answer.statusWord >> 8 === SW_MORE) {
    if (pieces.length >= MAX_PIECES) throw malformed('it never ends');
    answer = parseAnswer(exchange(Buffer.of(0, INS.getResponse, 0, 0, LE_MAX)));
    pieces.push(answer.data);
  }
  const data = Buffer.concat(pieces);
  // It may hold a management key, whose reader overwrites what it gets.
  for (const piece of pieces) piece.fill(0);
  return { data, statusWord: answer.statusWord };
}

/** Data and status word. @throws AgentError `token.device` */
function parseAnswer(bytes: Buffer): Answer {
  if (bytes.length < 2) throw malformed('it has no status word');
  return { data: bytes.subarray(0, -2), statusWord: bytes.readUInt16BE(bytes.length - 2) };
}

function malformed(problem: string): AgentError {
  return new AgentError('token.device', { message: `reading an answer of the card: ${problem}` });
}
