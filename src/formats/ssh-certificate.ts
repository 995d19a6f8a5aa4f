/** OpenSSH certificates (PROTOCOL.certkeys): the plain key inside one, and the file that holds one. */
import { decodeBase64 } from '../encoding/base64.js';
import { SshReader, SshWriter } from '../encoding/ssh-wire.js';
import { AgentError } from '../errors/agent-error.js';

const SUFFIX = '-cert-v01@openssh.com';
/** Strings of the public key after the nonce, by plain type. */
const KEY_FIELDS: ReadonlyMap<string, number> = new Map([
  ['ssh-ed25519', 1],
  ['ecdsa-sha2-nistp256', 2],
  ['ecdsa-sha2-nistp384', 2],
  ['ecdsa-sha2-nistp521', 2],
  ['ssh-rsa', 2],
]);

/**
 * The public key blob inside a certificate; any other blob is returned as it is.
 * @throws AgentError `verify.format`
 */
export function plainKeyBlob(blob: Buffer): Buffer {
  const reader = new SshReader(blob, 'an SSH certificate', 'verify.format');
  const type = reader.name();
  if (!type.endsWith(SUFFIX)) return blob;
  const plain = type.slice(0, -SUFFIX.length);
  const fields = KEY_FIELDS.get(plain);
  if (fields === undefined) throw malformed('a type this release does not know');
  reader.string();
  const writer = new SshWriter().string(plain);
  for (let field = 0; field < fields; field += 1) writer.string(reader.string());
  return writer.toBuffer();
}

/**
 * The certificate of a `*-cert.pub` file.
 * @throws AgentError `verify.format`
 */
export function certificateOfFile(text: string): { readonly blob: Buffer; readonly comment: string } {
  const [type, encoded, ...comment] = text.trim().split(/[ \t]+/);
  if (type?.endsWith(SUFFIX) !== true || encoded === undefined) throw malformed('the file holds none');
  const blob = decodeBase64(encoded, 'reading an SSH certificate', 'verify.format');
  if (new SshReader(blob, 'an SSH certificate', 'verify.format').name() !== type) {
    throw malformed('its type is not the one before it');
  }
  return { blob, comment: comment.join(' ') };
}

function malformed(problem: string): AgentError {
  return new AgentError('verify.format', { message: `reading an SSH certificate: ${problem}` });
}
