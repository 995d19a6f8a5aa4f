/** Command APDUs, short and extended (ISO 7816-3 section 12), and the instructions of the PIV applet. */
import { StatusWordError, SW } from './status-word.js';

export const INS = {
  otpRequest: 0x01,
  verify: 0x20,
  changeReference: 0x24,
  resetRetryCounter: 0x2c,
  generate: 0x47,
  authenticate: 0x87,
  select: 0xa4,
  getResponse: 0xc0,
  getData: 0xcb,
  putData: 0xdb,
  getMetadata: 0xf7,
  getSerial: 0xf8,
  attest: 0xf9,
  setPinRetries: 0xfa,
  reset: 0xfb,
  getVersion: 0xfd,
  importKey: 0xfe,
  setManagementKey: 0xff,
} as const;

export interface CommandApdu {
  readonly cla: number;
  readonly ins: number;
  readonly p1: number;
  readonly p2: number;
  readonly data: Buffer;
  /** How much the reader takes at once, bytes; 256 where the command does not say (libykpiv never does). */
  readonly expected: number;
}

const HEADER_BYTES = 4;
const SHORT_MAX = 256;
const EXTENDED_MAX = 65_536;

/** @throws StatusWordError 6700 when the lengths do not add up */
export function parseCommand(bytes: Buffer): CommandApdu {
  const [cla, ins, p1, p2] = bytes;
  if (cla === undefined || ins === undefined || p1 === undefined || p2 === undefined)
    throw new StatusWordError(SW.wrongLength);
  const body = bytes.subarray(HEADER_BYTES);
  const lengths = body.length > 1 && body[0] === 0 ? extendedBody(body) : shortBody(body);
  return { cla, ins, p1, p2, ...lengths };
}

type Body = Pick<CommandApdu, 'data' | 'expected'>;

function shortBody(body: Buffer): Body {
  const first = body[0];
  if (first === undefined) return { data: Buffer.alloc(0), expected: SHORT_MAX };
  if (body.length === 1) return { data: Buffer.alloc(0), expected: first === 0 ? SHORT_MAX : first };
  const data = body.subarray(1, 1 + first);
  const rest = body.subarray(1 + first);
  if (data.length !== first || rest.length > 1) throw new StatusWordError(SW.wrongLength);
  const expected = rest[0];
  return { data, expected: expected === undefined || expected === 0 ? SHORT_MAX : expected };
}

function extendedBody(body: Buffer): Body {
  if (body.length < 3) throw new StatusWordError(SW.wrongLength);
  const first = body.readUInt16BE(1);
  if (body.length === 3) return { data: Buffer.alloc(0), expected: first === 0 ? EXTENDED_MAX : first };
  const data = body.subarray(3, 3 + first);
  const rest = body.subarray(3 + first);
  if (data.length !== first || (rest.length !== 0 && rest.length !== 2))
    throw new StatusWordError(SW.wrongLength);
  const expected = rest.length === 2 ? rest.readUInt16BE(0) : 0;
  return { data, expected: expected === 0 ? EXTENDED_MAX : expected };
}
