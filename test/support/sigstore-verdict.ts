/** Second opinion on bundles: the sigstore project's own JavaScript verifier, with a plain key and without a transparency log. */
import { createHash, createPublicKey } from 'node:crypto';
import { bundleFromJSON } from '@sigstore/bundle';
import { toSignedEntity, Verifier, VerificationError } from '@sigstore/verify';

/** Whether it accepts the bundle as signed by the key; anything but a verdict throws. */
export function sigstoreAccepts(bundle: Buffer, publicKeyPem: string): boolean {
  const publicKey = createPublicKey(publicKeyPem);
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const trust = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: (hint: string) => {
      if (hint !== createHash('sha256').update(spki).digest('base64'))
        throw new Error(`another hint: ${hint}`);
      return { publicKey, validFor: () => true };
    },
  };
  const verifier = new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(bundle.toString('utf8')))));
    return true;
  } catch (failure) {
    if (failure instanceof VerificationError) return false;
    throw failure;
  }
}
