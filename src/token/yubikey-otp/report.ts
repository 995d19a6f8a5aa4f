/**
 * The 8-byte feature reports of the OTP interface: seven bytes and a flag byte. What the device says of itself when it is
 * idle, and what its flags mean while it works.
 */
import { secretBuffer } from '../../crypto/secret-bytes.js';
import { AgentError } from '../../errors/agent-error.js';

/** Bytes of a feature report, and of the data in it. */
export const REPORT_BYTES = 8;
export const PIECE_BYTES = REPORT_BYTES - 1;

const FLAG_WRITE = 0x80;
const FLAG_ANSWER = 0x40;
const FLAG_TOUCH = 0x20;
const LOW_BITS = 0x1f;
/** An impossible piece: the device drops its answer and stops waiting. */
const FLAG_RESET = 0xff;

/** What the device does, by the flag byte of its report. */
export type DeviceState =
  | { readonly state: 'idle' }
  /** It has not taken the last piece yet, or starts up. */
  | { readonly state: 'busy' }
  | { readonly state: 'touch'; readonly secondsLeft: number }
  | { readonly state: 'answer'; readonly piece: number };

export type Slot = 1 | 2;

export interface SlotFacts {
  readonly programmed: boolean;
  readonly touch: boolean;
}

/** The idle report. */
export interface DeviceStatus {
  /** Firmware, as in `5.4.3`. */
  readonly version: string;
  /** Grows with each change of a slot; 0 while both are empty. */
  readonly sequence: number;
  readonly slots: Readonly<Record<Slot, SlotFacts>>;
}

/** What the flag byte says; an answer comes first, because a device that waits does not answer. */
export function stateOf(report: Uint8Array): DeviceState {
  const flag = report[PIECE_BYTES] ?? 0;
  if ((flag & FLAG_ANSWER) !== 0) return { state: 'answer', piece: flag & LOW_BITS };
  if ((flag & FLAG_WRITE) !== 0) return { state: 'busy' };
  if ((flag & FLAG_TOUCH) !== 0) return { state: 'touch', secondsLeft: flag & LOW_BITS };
  return { state: 'idle' };
}

/** @throws AgentError `token.device` when these are not eight bytes of an idle device */
export function statusOf(report: Uint8Array): DeviceStatus {
  const [zero, major, minor, build, sequence, level] = report;
  if (
    report.length !== REPORT_BYTES ||
    zero !== 0 ||
    major === undefined ||
    minor === undefined ||
    build === undefined ||
    sequence === undefined ||
    level === undefined
  ) {
    throw new AgentError('token.device', { message: 'reading the status of the OTP slots: not a status' });
  }
  return {
    version: `${major}.${minor}.${build}`,
    sequence,
    slots: {
      1: { programmed: (level & 0x01) !== 0, touch: (level & 0x04) !== 0 },
      2: { programmed: (level & 0x02) !== 0, touch: (level & 0x08) !== 0 },
    },
  };
}

/** One piece of a frame, ready to be written. */
export function pieceReport(piece: Uint8Array, number: number): Buffer {
  const report = secretBuffer(REPORT_BYTES);
  report.set(piece);
  report[PIECE_BYTES] = FLAG_WRITE | number;
  return report;
}

/** Written to end whatever the device does. */
export function resetReport(): Buffer {
  const report = Buffer.alloc(REPORT_BYTES);
  report[PIECE_BYTES] = FLAG_RESET;
  return report;
}
