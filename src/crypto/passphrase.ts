/**
 * The passphrase beside an OTP slot: 12 to 128 code points, NFC, UTF-8. Bytes in and bytes out; only runs of characters that
 * are not ASCII pass through strings, a few characters at a time, because nothing else can normalise them.
 */
import { AgentError } from '../errors/agent-error.js';

const MIN_PASSPHRASE_CHARACTERS = 12;
const MAX_PASSPHRASE_CHARACTERS = 128;

const ASCII_END = 0x80;
const FIRST_PRINTABLE = 0x20;
const DELETE = 0x7f;
const CONTINUATION_MASK = 0xc0;
const CONTINUATION = 0x80;
/** Another release of Unicode may normalise what this one has not assigned in another way. */
const REFUSED = /[\p{Cc}\p{Cn}\p{Cs}]/u;

/**
 * The passphrase as derive v1 takes it; the caller overwrites it, and what was typed.
 * @throws AgentError `token.pin-format` when it is too short or too long after normalisation, or no text
 */
export function normalisePassphrase(typed: Uint8Array): Buffer {
  const runs = runsOf(typed).map(normaliseRun);
  const passphrase = Buffer.concat(runs);
  for (const run of runs) run.fill(0);
  const characters = passphrase.reduce((count, byte) => count + (isContinuation(byte) ? 0 : 1), 0);
  if (characters >= MIN_PASSPHRASE_CHARACTERS && characters <= MAX_PASSPHRASE_CHARACTERS) return passphrase;
  passphrase.fill(0);
  throw refused(`it needs ${MIN_PASSPHRASE_CHARACTERS} to ${MAX_PASSPHRASE_CHARACTERS} characters`);
}

/**
 * Cuts before each ASCII character: none of them ever combines with what stands before it, so the runs normalise alone.
 */
function runsOf(typed: Uint8Array): readonly Uint8Array[] {
  const runs: Uint8Array[] = [];
  let start = 0;
  for (let at = 1; at <= typed.length; at += 1) {
    if (at < typed.length && (typed[at] ?? 0) >= ASCII_END) continue;
    runs.push(typed.subarray(start, at));
    start = at;
  }
  return runs;
}

function normaliseRun(run: Uint8Array): Buffer {
  const [first = 0] = run;
  if (run.length <= 1 && first < ASCII_END) {
    if (run.length === 1 && (first < FIRST_PRINTABLE || first === DELETE)) {
      throw refused('it holds a control character');
    }
    return Buffer.from(run);
  }
  const text = decode(run);
  if (REFUSED.test(text)) throw refused('it holds a character that cannot be used');
  return Buffer.from(text.normalize('NFC'), 'utf8');
}

function decode(run: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(run);
  } catch {
    throw refused('it is not UTF-8');
  }
}

function isContinuation(byte: number): boolean {
  return (byte & CONTINUATION_MASK) === CONTINUATION;
}

function refused(why: string): AgentError {
  return new AgentError('token.pin-format', { message: `reading the passphrase: ${why}; it was not used` });
}
