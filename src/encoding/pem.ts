/** PEM (RFC 7468, strict form) for public data. Private keys are never written as text here. */
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';
import { decodeBase64, encodeBase64 } from './base64.js';

export interface PemBlock {
  readonly label: string;
  readonly der: Buffer;
}

const COLUMNS = 64;
const BLOCK =
  /^-----BEGIN ([A-Z0-9]+(?: [A-Z0-9]+)*)-----\n((?:[A-Za-z0-9+/=]{1,64}\n)+)-----END ([A-Z0-9 ]+)-----\n?$/;

/** One PEM block with lines of 64 columns and a final line feed. */
export function encodePem(label: string, der: Uint8Array): string {
  const lines = encodeBase64(der).match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/**
 * Reads exactly one PEM block; CRLF line ends and white space around the block are taken.
 * @throws AgentError `code` (default `usage.invalid`), naming `what`.
 */
export function decodePem(text: string, what: string, code: ErrorCode = 'usage.invalid'): PemBlock {
  const match = BLOCK.exec(text.replaceAll('\r\n', '\n').trim());
  const [, label, body, end] = match ?? [];
  if (label === undefined || body === undefined || label !== end) {
    throw new AgentError(code, { message: `${what}: not one PEM block` });
  }
  return { label, der: decodeBase64(body.replaceAll('\n', ''), what, code) };
}
