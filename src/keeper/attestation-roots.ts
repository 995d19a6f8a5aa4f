/** The roots that vouch for cards, from the file that the configuration names. Read at each set-up: it changes with the vendor's. */
import type { X509Certificate } from 'node:crypto';
import { AgentError } from '../errors/agent-error.js';
import { parseRoots } from '../formats/attestation-chain.js';
import { readTrustedFile } from '../platform/store/trusted-file.js';

/** @throws AgentError `config.invalid` when it is missing, others can write it, or no certificate is in it */
export function readAttestationRoots(path: string): readonly X509Certificate[] {
  const text = readTrustedFile(path, process.getuid?.() ?? 0, 'config.invalid');
  if (text !== undefined) return parseRoots(text, path);
  throw new AgentError('config.invalid', {
    message: `attestation-roots: ${path}: there is no such file`,
    details: { file: path },
  });
}
