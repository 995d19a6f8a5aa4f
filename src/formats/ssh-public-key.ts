/** OpenSSH public keys as they come from outside: blobs and lines of key files, to DER SubjectPublicKeyInfo. */
import { ALGORITHMS, KEY_ALGORITHMS } from '../crypto/algorithms.js';
import { importPublicKey, spkiFromRaw } from '../crypto/public-key.js';
import { decodeBase64 } from '../encoding/base64.js';
import { SshReader } from '../encoding/ssh-wire.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';

/**
 * DER SubjectPublicKeyInfo of a public key blob (RFC 5656 section 3.1, RFC 8709 section 4). P-256 points are checked to lie on
 * the curve.
 * @throws AgentError `verify.format`.
 */
export function spkiFromSshBlob(blob: Uint8Array): Buffer {
  const reader = new SshReader(blob, 'an SSH public key', 'verify.format');
  const name = reader.name();
  const algorithm = KEY_ALGORITHMS.find((known) => ALGORITHMS[known].sshName === name);
  if (algorithm === undefined) throw malformed('not ecdsa-sha2-nistp256 or ssh-ed25519');
  if (algorithm === 'ecdsa-p256' && reader.name() !== 'nistp256')
    throw malformed('the curve is not nistp256');
  const raw = reader.string();
  reader.end();
  try {
    const spki = spkiFromRaw(algorithm, raw);
    importPublicKey(spki);
    return spki;
  } catch (thrown) {
    throw malformed(asAgentError(thrown).message);
  }
}

/**
 * DER SubjectPublicKeyInfo of one line `TYPE BASE64 [COMMENT]`, or of an allowed-signers line, where principals and options
 * stand before the type.
 * @throws AgentError `verify.format`.
 */
export function spkiFromSshLine(line: string): Buffer {
  const fields = line.trim().split(/[ \t]+/);
  const at = fields.findIndex((field) => KEY_ALGORITHMS.some((known) => ALGORITHMS[known].sshName === field));
  const encoded = at === -1 ? undefined : fields[at + 1];
  if (encoded === undefined) throw malformed('the line holds no ecdsa-sha2-nistp256 or ssh-ed25519 key');
  return spkiFromSshBlob(decodeBase64(encoded, 'reading an SSH public key', 'verify.format'));
}

function malformed(problem: string): AgentError {
  return new AgentError('verify.format', { message: `reading an SSH public key: ${problem}` });
}
