/** OpenSSH public keys as they come from outside: blobs and lines of key files, to DER SubjectPublicKeyInfo. */
import { ALGORITHMS, KEY_ALGORITHMS, type KeyAlgorithm } from '../crypto/algorithms.js';
import { importPublicKey, spkiFromRaw } from '../crypto/public-key.js';
import { decodeBase64 } from '../encoding/base64.js';
import { SshReader } from '../encoding/ssh-wire.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';

const RSA_EXPONENT = Buffer.of(1, 0, 1);
const SSH_NAMES = KEY_ALGORITHMS.map((known) => ALGORITHMS[known].sshName);

/**
 * DER SubjectPublicKeyInfo of a public key blob (RFC 5656 section 3.1, RFC 8709 section 4, RFC 4253 section 6.6). Points are checked to
 * lie on the curve.
 * @throws AgentError `verify.format`.
 */
export function spkiFromSshBlob(blob: Uint8Array): Buffer {
  const reader = new SshReader(blob, 'an SSH public key', 'verify.format');
  const name = reader.name();
  const algorithm = KEY_ALGORITHMS.find((known) => ALGORITHMS[known].sshName === name);
  if (algorithm === undefined) throw malformed(`not ${SSH_NAMES.join(', ')}`);
  const raw = rawOf(algorithm, reader);
  reader.end();
  try {
    const spki = spkiFromRaw(algorithm, raw);
    importPublicKey(spki);
    return spki;
  } catch (thrown) {
    throw malformed(asAgentError(thrown).message);
  }
}

function rawOf(algorithm: KeyAlgorithm, reader: SshReader): Buffer {
  const { curve, publicKeyBytes } = ALGORITHMS[algorithm];
  if (algorithm === 'rsa-3072') {
    if (!reader.string().equals(RSA_EXPONENT)) throw malformed('the public exponent is not 65537');
    return reader.mpint(publicKeyBytes);
  }
  if (curve !== undefined && reader.name() !== curve.ssh) throw malformed(`the curve is not ${curve.ssh}`);
  return reader.string();
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
  if (encoded === undefined) throw malformed(`the line holds no key of type ${SSH_NAMES.join(', ')}`);
  return spkiFromSshBlob(decodeBase64(encoded, 'reading an SSH public key', 'verify.format'));
}

function malformed(problem: string): AgentError {
  return new AgentError('verify.format', { message: `reading an SSH public key: ${problem}` });
}
