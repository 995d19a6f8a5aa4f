/** A public key in PEM that a command line names. */
import { createPublicKey } from 'node:crypto';
import { AgentError } from '../errors/agent-error.js';
import { readInput } from './input-file.js';

/** @returns DER SubjectPublicKeyInfo, base64 @throws AgentError usage.invalid, usage.file */
export async function publicKeyFile(path: string): Promise<string> {
  const pem = await readInput(path);
  try {
    return createPublicKey(pem).export({ format: 'der', type: 'spki' }).toString('base64');
  } catch (cause) {
    throw new AgentError('usage.invalid', { message: 'option --public-key: not a public key in PEM', cause });
  }
}
