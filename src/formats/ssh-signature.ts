/** Signature blobs of SSH (RFC 5656 section 3.1.2, RFC 8709 section 6, RFC 8332 section 3) to and from the forms inside. */
import { ALGORITHMS, type KeyAlgorithm } from '../crypto/algorithms.js';
import { SshReader, SshWriter } from '../encoding/ssh-wire.js';
import { AgentError } from '../errors/agent-error.js';

export type SshRsaHash = 'sha256' | 'sha512';

export interface SshSignatureBlob {
  readonly algorithm: KeyAlgorithm;
  /** r||s for ECDSA, else as the algorithm gives it. */
  readonly signature: Buffer;
  /** RSA alone; SHA-1 is never written and never read. */
  readonly rsaHash?: SshRsaHash | undefined;
}

/** @throws AgentError `usage.invalid` for a signature of another length */
export function writeSshSignature({ algorithm, signature, rsaHash }: SshSignatureBlob): Buffer {
  const { sshName, signatureBytes, curve } = ALGORITHMS[algorithm];
  if (signature.length !== signatureBytes) {
    throw new AgentError('usage.invalid', {
      message: `writing an SSH signature: the signature is not ${signatureBytes} bytes`,
    });
  }
  const writer = new SshWriter().string(algorithm === 'rsa-3072' ? rsaName(rsaHash) : sshName);
  if (curve === undefined) return writer.string(signature).toBuffer();
  const half = signatureBytes / 2;
  const integers = new SshWriter().mpint(signature.subarray(0, half)).mpint(signature.subarray(half));
  return writer.string(integers.toBuffer()).toBuffer();
}

/** @throws AgentError `verify.format` when the blob is not a signature of this algorithm */
export function readSshSignature(blob: Buffer, algorithm: KeyAlgorithm): SshSignatureBlob {
  const { sshName, signatureBytes, curve } = ALGORITHMS[algorithm];
  const reader = new SshReader(blob, 'an SSH signature', 'verify.format');
  const name = reader.name();
  const rsaHash = algorithm === 'rsa-3072' ? rsaHashOf(name) : undefined;
  if (rsaHash === undefined && name !== sshName)
    throw malformed('key and signature are of different algorithms');
  const body = reader.string();
  reader.end();
  if (curve !== undefined) return { algorithm, signature: readIntegers(body, signatureBytes / 2) };
  if (body.length !== signatureBytes) throw malformed(`the signature is not ${signatureBytes} bytes`);
  return { algorithm, signature: body, rsaHash };
}

function rsaName(hash: SshRsaHash = 'sha512'): string {
  return hash === 'sha256' ? 'rsa-sha2-256' : 'rsa-sha2-512';
}

function rsaHashOf(name: string): SshRsaHash {
  if (name === 'rsa-sha2-256') return 'sha256';
  if (name === 'rsa-sha2-512') return 'sha512';
  throw malformed('an RSA signature with neither SHA-256 nor SHA-512');
}

function readIntegers(body: Buffer, length: number): Buffer {
  const reader = new SshReader(body, 'an SSH signature', 'verify.format');
  const r = reader.mpint(length);
  const s = reader.mpint(length);
  reader.end();
  return Buffer.concat([r, s]);
}

function malformed(problem: string): AgentError {
  return new AgentError('verify.format', { message: `reading an SSH signature: ${problem}` });
}
