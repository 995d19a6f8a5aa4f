/** Messages of the SSH agent protocol (RFC 9987, and PROTOCOL.agent of OpenSSH): requests in, replies out. */
import { allocateFrame, encodeFrame } from '../../encoding/frame.js';
import { SshReader, SshWriter } from '../../encoding/ssh-wire.js';

/** One message, bytes, as OpenSSH limits it. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** OpenSSH's client takes no longer list. */
const MAX_IDENTITIES = 2048;

const RequestType = { list: 11, sign: 13, lock: 22, unlock: 23, extension: 27 } as const;
const ReplyType = {
  failure: 5,
  success: 6,
  identities: 12,
  signature: 14,
  extensionFailure: 28,
  extension: 29,
} as const;

/** Of a sign request, for RSA keys alone. */
const FLAG_RSA_SHA256 = 2;
const FLAG_RSA_SHA512 = 4;

export interface SshSignRequest {
  readonly type: 'sign';
  /** Public key or certificate. */
  readonly keyBlob: Buffer;
  readonly data: Buffer;
  /** What an RSA key is to sign with; undefined means SHA-1, which is refused. */
  readonly rsaHash: 'sha256' | 'sha512' | undefined;
}

/** Buffers are views into the frame. */
export type SshAgentRequest =
  | { readonly type: 'list' }
  | SshSignRequest
  | { readonly type: 'lock' | 'unlock'; readonly passphrase: Buffer }
  | { readonly type: 'extension'; readonly name: string; readonly body: SshReader }
  /** Adding, removing and whatever else an agent of our kind does not do. */
  | { readonly type: 'unsupported' };

/**
 * @param frame without its length
 * @throws AgentError `usage.invalid` for a request that is cut off or too long
 */
export function decodeRequest(frame: Buffer): SshAgentRequest {
  const reader = new SshReader(frame, 'an SSH agent request');
  switch (reader.u8()) {
    case RequestType.list:
      reader.end();
      return { type: 'list' };
    case RequestType.sign:
      return decodeSign(reader);
    case RequestType.lock:
      return { type: 'lock', passphrase: lastString(reader) };
    case RequestType.unlock:
      return { type: 'unlock', passphrase: lastString(reader) };
    case RequestType.extension:
      return { type: 'extension', name: reader.name(), body: reader };
    default:
      return { type: 'unsupported' };
  }
}

function decodeSign(reader: SshReader): SshSignRequest {
  const keyBlob = reader.string();
  const data = reader.string();
  const flags = reader.u32();
  reader.end();
  const sha256 = (flags & FLAG_RSA_SHA256) !== 0 ? 'sha256' : undefined;
  return { type: 'sign', keyBlob, data, rsaHash: (flags & FLAG_RSA_SHA512) !== 0 ? 'sha512' : sha256 };
}

function lastString(reader: SshReader): Buffer {
  const bytes = reader.string();
  reader.end();
  return bytes;
}

export const FAILURE = encodeFrame(Buffer.of(ReplyType.failure));
export const SUCCESS = encodeFrame(Buffer.of(ReplyType.success));
export const EXTENSION_FAILURE = encodeFrame(Buffer.of(ReplyType.extensionFailure));

/** As many identities as fit into a message. */
export function encodeIdentities(
  identities: readonly { readonly blob: Buffer; readonly comment: string }[],
): Buffer {
  const entries: Buffer[] = [];
  let bytes = 5;
  for (const { blob, comment } of identities.slice(0, MAX_IDENTITIES)) {
    const entry = new SshWriter().string(blob).string(comment).toBuffer();
    bytes += entry.length;
    if (bytes > MAX_MESSAGE_BYTES) break;
    entries.push(entry);
  }
  const count = new SshWriter().u8(ReplyType.identities).u32(entries.length).toBuffer();
  return encodeFrame(count, ...entries);
}

/** @param blob signature as SSH writes it */
export function encodeSignature(blob: Buffer): Buffer {
  const frame = allocateFrame(5 + blob.length);
  frame[4] = ReplyType.signature;
  frame.writeUInt32BE(blob.length, 5);
  blob.copy(frame, 9);
  return frame;
}

/** Reply to `query`: the extensions that are known here. */
export function encodeQuery(names: readonly string[]): Buffer {
  const writer = new SshWriter().u8(ReplyType.extension).string('query');
  for (const name of names) writer.string(name);
  return encodeFrame(writer.toBuffer());
}
