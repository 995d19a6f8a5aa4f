/** Hexadecimal text: lower case only, so that equal bytes are equal strings. */
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';

const LOWER_HEX = /^[0-9a-f]*$/;

/** Lower-case hex of bytes. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/**
 * Decodes lower-case hex of even length.
 * @param what the field, named in the error.
 * @throws AgentError `code` (default `usage.invalid`).
 */
export function fromHex(text: string, what: string, code: ErrorCode = 'usage.invalid'): Buffer {
  if (text.length % 2 !== 0) throw new AgentError(code, { message: `${what}: odd number of hex digits` });
  if (!LOWER_HEX.test(text)) throw new AgentError(code, { message: `${what}: not lower-case hex` });
  return Buffer.from(text, 'hex');
}
