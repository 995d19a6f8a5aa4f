/** Whether the maker of a token vouches for a key: certificates from one the policy trusts down to the key. */
import { X509Certificate } from 'node:crypto';
import { isWeakModulus } from '../crypto/weak-rsa.js';
import { parseAttestation, type Attested } from '../formats/piv-attestation.js';
import type { Enrolment } from './enrolment.js';
import { sha256Hex } from './one-form.js';

export interface AttestationVerdict {
  /** `none`: nobody vouches for it, or nobody whose word can be checked; `wrong`: what was handed in does not hold. */
  readonly state: 'attested' | 'none' | 'wrong';
  readonly says: string;
}

type Judged = Pick<Enrolment, 'attestation' | 'keyId' | 'token' | 'pinPolicy' | 'touchPolicy'>;

/** @param anchors certificates in PEM: of makers, or of what stands between them and their tokens */
export function judgeAttestation(enrolment: Judged, anchors: readonly string[]): AttestationVerdict {
  const { attestation, keyId, token } = enrolment;
  if (attestation.length === 0) return none(`${token.model} has no certificate of its maker`);
  const chain = readAll(attestation);
  const trusted = readAll(anchors);
  const [leaf] = chain ?? [];
  if (chain === undefined || trusted === undefined || leaf === undefined)
    return wrong('a certificate cannot be read');
  const spki = leaf.publicKey.export({ type: 'spki', format: 'der' });
  if (sha256Hex(spki) !== keyId) return wrong('the certificate is about another key');
  const problem = differenceOf(leaf, enrolment);
  if (problem !== undefined) return wrong(problem);
  const gap = chain.find((one, at) => at + 1 < chain.length && !isIssuedBy(one, chain[at + 1]));
  if (gap !== undefined) return wrong('a certificate is not signed by the one after it');
  if (chain.some(isForgeable))
    return none('its certificates are signed with a weak RSA key (ROCA), by anybody');
  if (trusted.length === 0) return none('the policy names no maker to check its certificates by');
  const last = chain.at(-1);
  const isAnchored = trusted.some(
    (anchor) => last?.fingerprint256 === anchor.fingerprint256 || isIssuedBy(last, anchor),
  );
  return isAnchored
    ? { state: 'attested', says: `its maker vouches for the key on ${token.model} ${token.serial}` }
    : wrong('the certificates lead to no maker that the policy names');
}

/**
 * The maker's word counts for one card and its policies. What the enrolment claims beyond it, nobody vouches for; where it claims
 * something else, it is the enrolment that is wrong.
 */
function differenceOf(leaf: X509Certificate, { token, pinPolicy, touchPolicy }: Judged): string | undefined {
  let said: Attested;
  try {
    said = parseAttestation(leaf.raw);
  } catch {
    return 'what the certificate says about the token cannot be read';
  }
  const { serial, firmware, slot, policies } = said;
  if (serial === undefined) return 'the certificate does not say which token it is about';
  if (serial !== token.serial) return `the certificate is about token ${serial}, not ${token.serial}`;
  const claims = [
    ['slot', slot, token.slot, undefined],
    ['firmware', firmware, token.firmware, null],
    ['PIN', policies?.pin, pinPolicy, 'unknown'],
    ['touch', policies?.touch, touchPolicy, 'unknown'],
  ] as const;
  const [other] = claims.filter(([, is, claimed, nothing]) => claimed !== nothing && is !== claimed);
  return other === undefined
    ? undefined
    : `the certificate says ${other[0]} ${other[1] ?? 'nothing'}, the enrolment ${other[2] ?? 'nothing'}`;
}

function isIssuedBy(one: X509Certificate | undefined, issuer: X509Certificate | undefined): boolean {
  return one !== undefined && issuer?.ca === true && one.checkIssued(issuer) && one.verify(issuer.publicKey);
}

/** Old cards attest with keys that can be computed from their public half. */
function isForgeable({ publicKey }: X509Certificate): boolean {
  const { n } = publicKey.asymmetricKeyType === 'rsa' ? publicKey.export({ format: 'jwk' }) : {};
  return n !== undefined && isWeakModulus(BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`));
}

function readAll(pems: readonly string[]): readonly X509Certificate[] | undefined {
  try {
    return pems.map((pem) => new X509Certificate(pem));
  } catch {
    return undefined;
  }
}

function none(why: string): AttestationVerdict {
  return { state: 'none', says: `not attested: ${why}` };
}

function wrong(says: string): AttestationVerdict {
  return { state: 'wrong', says };
}
