/** Judging a Notation signature: the chain up to a trusted authority, the leaf, the signature, and what it is about. */
import { X509Certificate } from 'node:crypto';
import { verifySignature } from '../crypto/verify.js';
import { asAgentError } from '../errors/agent-error.js';
import { decodeNotation } from '../formats/notation.js';
import type { ExpectedImage, Finding } from './image-check.js';

/** Without a time stamp of somebody else, certificates must be valid now. @param trusted certificates of authorities */
export function checkNotation(
  envelope: Buffer,
  image: ExpectedImage,
  trusted: readonly X509Certificate[],
  now: Date,
): Finding {
  const form = 'notation';
  try {
    const { chain, signingInput, signature, target, expiry } = decodeNotation(envelope);
    const certificates = chain.map((der) => new X509Certificate(der));
    const [leaf] = certificates;
    const problem = leaf === undefined ? 'it has no certificate' : chainProblem(certificates, trusted, now);
    if (leaf === undefined || problem !== undefined) return { form, problem };
    const spki = leaf.publicKey.export({ format: 'der', type: 'spki' });
    if (!verifySignature(spki, 'ecdsa-p256', signingInput, signature))
      return { form, problem: 'the signature is wrong' };
    if (target.digest !== image.digest)
      return { form, problem: `it is about another image, ${target.digest}` };
    if (expiry !== undefined && Date.parse(expiry) <= now.getTime())
      return { form, problem: 'it has expired' };
    const named = commonName(leaf);
    if (named !== image.repository)
      return { form, problem: `its certificate is for another repository, ${named}` };
    return { form, key: leaf.subject.split('\n').join(',') };
  } catch (thrown) {
    return { form, problem: asAgentError(thrown).message };
  }
}

function chainProblem(
  chain: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
  now: Date,
): string | undefined {
  const root = chain.at(-1);
  if (root === undefined || !trusted.some((one) => one.raw.equals(root.raw)))
    return 'its certificate is not of a trusted authority';
  if (chain[0]?.ca === true) return 'it was signed with the certificate of an authority';
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1] ?? root;
    if (Date.parse(certificate.validFrom) > now.getTime()) return 'a certificate is not valid yet';
    if (Date.parse(certificate.validTo) < now.getTime()) return 'a certificate has expired';
    if (!issuer.ca || !certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey))
      return 'the chain of certificates does not hold';
  }
  return undefined;
}

function commonName(certificate: X509Certificate): string {
  return /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? '';
}
