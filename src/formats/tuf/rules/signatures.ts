/** The rule about signatures. */
import { ecdsaRawFromDer } from '../../../encoding/der.js';
import { AgentError } from '../../../errors/agent-error.js';
import { schemeOf, type TufScheme } from '../key.js';
import type { Rule } from './rule.js';

const HEX = /^(?:[0-9a-fA-F]{2})*$/;
const ED25519_DIGITS = 128;
const P256_BYTES = 32;
const P384_BYTES = 48;

/** Empty ones are placeholders for who has still to sign; of a key that is not known only the hex is looked at. */
export const signatureForm: Rule = ({ signatures, signers }) =>
  signatures.flatMap(({ keyid, sig }) => {
    const key = signers.get(keyid);
    const problem = sig === '' ? undefined : formProblem(sig, key === undefined ? undefined : schemeOf(key));
    return problem === undefined ? [] : [{ where: `signatures["${keyid}"]`, message: problem }];
  });

function formProblem(sig: string, scheme: TufScheme | undefined): string | undefined {
  if (!HEX.test(sig)) return 'it is not hex';
  switch (scheme) {
    case 'ecdsa-p256':
    case 'ecdsa-p384':
      return isDer(sig, scheme === 'ecdsa-p256' ? P256_BYTES : P384_BYTES)
        ? undefined
        : 'an ECDSA signature is DER; r and s alone fail in every client';
    case 'ed25519':
      return sig.length === ED25519_DIGITS ? undefined : 'an Ed25519 signature has 64 bytes';
    case 'rsa-pss-sha256':
    case undefined:
      return undefined;
  }
}

function isDer(sig: string, coordinateBytes: number): boolean {
  try {
    ecdsaRawFromDer(Buffer.from(sig, 'hex'), 'verify.format', coordinateBytes);
    return true;
  } catch (thrown) {
    if (thrown instanceof AgentError) return false;
    throw thrown;
  }
}
