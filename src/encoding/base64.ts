/** Base64 (RFC 4648 section 4): padded, standard alphabet, no white space, nothing else accepted. */
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';

/** Base64 text of bytes, padded. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/**
 * Decodes canonical base64; every byte string has exactly one accepted text.
 * @param what the field, named in the error.
 * @throws AgentError `code` (default `usage.invalid`).
 */
export function decodeBase64(text: string, what: string, code: ErrorCode = 'usage.invalid'): Buffer {
  const bytes = Buffer.from(text, 'base64');
  // Node skips what it does not know, so only an exact round trip shows that nothing was skipped.
  if (bytes.toString('base64') !== text) {
    throw new AgentError(code, { message: `${what}: not padded base64 (RFC 4648 section 4)` });
  }
  return bytes;
}
