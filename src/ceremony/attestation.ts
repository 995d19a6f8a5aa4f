/** Whether the maker of a token vouches for a key: certificates from one the policy trusts down to the key. */
import { X509Certificate } from 'node:crypto';
import { parseAttestation } from '../formats/piv-attestation.js';
import type { Enrolment } from './enrolment.js';
import { sha256Hex } from './one-form.js';

export interface AttestationVerdict {
  readonly state: 'attested' | 'none' | 'wrong';
  readonly says: string;
}

/** @param anchors certificates in PEM */
export function judgeAttestation(
  enrolment: Pick<Enrolment, 'attestation' | 'keyId' | 'token' | 'pinPolicy' | 'touchPolicy'>,
  anchors: readonly string[],
): AttestationVerdict {
  const { attestation, keyId, token } = enrolment;
  if (attestation.length === 0)
    return { state: 'none', says: `not attested: ${token.model} has no certificate of its maker` };
  const chain = readAll(attestation);
  const trusted = readAll(anchors);
  const [leaf] = chain ?? [];
  if (chain === undefined || trusted === undefined || leaf === undefined)
    return wrong('a certificate cannot be read');
  const spki = leaf.publicKey.export({ type: 'spki', format: 'der' });
  if (sha256Hex(spki) !== keyId) return wrong('the certificate is about another key');
  const gap = chain.find((one, at) => at + 1 < chain.length && !isIssuedBy(one, chain[at + 1]));
  if (gap !== undefined) return wrong('a certificate is not signed by the one after it');
  const last = chain.at(-1);
  const isAnchored = trusted.some(
    (anchor) => last?.fingerprint256 === anchor.fingerprint256 || isIssuedBy(last, anchor),
  );
  if (!isAnchored) return wrong('the certificates lead to no maker that the policy names');
  return saysOtherwise(leaf, enrolment)
    ? wrong('the certificate says something else about the token than the enrolment')
    : { state: 'attested', says: 'its maker vouches for the key' };
}

/** The maker's word counts for one card and its policies; where the enrolment claims others, it is the enrolment that is wrong. */
function saysOtherwise(
  leaf: X509Certificate,
  { token, pinPolicy, touchPolicy }: Pick<Enrolment, 'token' | 'pinPolicy' | 'touchPolicy'>,
): boolean {
  try {
    const { serial, firmware, policies } = parseAttestation(leaf.raw);
    return [
      [serial, token.serial],
      [firmware, token.firmware],
      [policies?.pin, pinPolicy === 'unknown' ? policies?.pin : pinPolicy],
      [policies?.touch, touchPolicy === 'unknown' ? policies?.touch : touchPolicy],
    ].some(([said, claimed]) => said !== undefined && said !== claimed);
  } catch {
    return true;
  }
}

function isIssuedBy(one: X509Certificate | undefined, issuer: X509Certificate | undefined): boolean {
  return one !== undefined && issuer?.ca === true && one.checkIssued(issuer) && one.verify(issuer.publicKey);
}

function readAll(pems: readonly string[]): readonly X509Certificate[] | undefined {
  try {
    return pems.map((pem) => new X509Certificate(pem));
  } catch {
    return undefined;
  }
}

function wrong(says: string): AttestationVerdict {
  return { state: 'wrong', says };
}
