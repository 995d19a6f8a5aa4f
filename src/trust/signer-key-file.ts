/** Public keys of signers as people hand them over: `docker trust key generate`, `touchstone key export`, or a certificate. */
import { createPublicKey } from 'node:crypto';
import { decodePem } from '../encoding/pem.js';
import { AgentError } from '../errors/agent-error.js';
import { notaryKeyFromCertificates, notaryKeyFromSpki, type NotaryKey } from '../formats/notary1/key.js';

const MIN_RSA_BITS = 2048;
/** Docker writes `role: NAME` between the first line and the key. */
const HEADERS = /(-----BEGIN [A-Z ]+-----\n)(?:[A-Za-z-]+: [^\n]*\n)+\n?/;

/**
 * The key in a PEM file.
 * @param what the file, for errors
 * @throws AgentError `usage.invalid` for a private key, and for what is no key that readers take
 */
export function readSignerKey(pem: string, what: string): NotaryKey {
  const text = `${pem.replaceAll('\r\n', '\n').trim()}\n`;
  if (text.includes('PRIVATE KEY')) {
    throw new AgentError('usage.invalid', {
      message: `reading ${what}: it holds a private key; a signer hands over the public one`,
    });
  }
  if (text.startsWith('-----BEGIN CERTIFICATE-----')) return notaryKeyFromCertificates(text);
  const { label, der } = decodePem(text.replace(HEADERS, '$1'), `reading ${what}`);
  const key = label === 'PUBLIC KEY' ? bareKey(der) : undefined;
  if (key !== undefined) return key;
  throw new AgentError('usage.invalid', {
    message: `reading ${what}: it is neither a certificate nor a public key of EC, RSA (2048 bits or more) or Ed25519`,
  });
}

function bareKey(spki: Buffer): NotaryKey | undefined {
  try {
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = createPublicKey({
      key: spki,
      format: 'der',
      type: 'spki',
    });
    if (type === 'rsa') {
      const isLong = (details?.modulusLength ?? 0) >= MIN_RSA_BITS;
      return isLong ? { keytype: 'rsa', public: spki.toString('base64') } : undefined;
    }
    return type === 'ec' || type === 'ed25519' ? notaryKeyFromSpki(spki) : undefined;
  } catch {
    return undefined;
  }
}
