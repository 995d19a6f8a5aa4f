/** What the certificates of one key come to at a moment. */
import type { VerifiedCertificate } from './verify.js';

export type CertificateStanding =
  | { readonly state: 'missing' }
  | { readonly state: 'valid'; readonly newest: VerifiedCertificate }
  | {
      /** `forked`: two statements follow the same one, or one follows nothing that is known. */
      readonly state: 'not-yet' | 'expired' | 'revoked' | 'forked';
      readonly newest: VerifiedCertificate;
    };

/**
 * The statements about one key form a chain, each naming the hash of the one before. The newest counts; a revocation anywhere is for good.
 * @param statements verified, in any order, all about the same key
 * @param nowMs milliseconds since 1970
 */
export function certificateStanding(
  statements: readonly VerifiedCertificate[],
  nowMs: number,
): CertificateStanding {
  const revocation = statements.find(({ certificate }) => certificate.action === 'revoke');
  if (revocation !== undefined) return { state: 'revoked', newest: revocation };
  const [any] = statements;
  if (any === undefined) return { state: 'missing' };
  const newest = endOfChain(statements);
  if (newest === undefined) return { state: 'forked', newest: any };
  const { notBefore, notAfter } = newest.certificate;
  if (nowMs < Date.parse(notBefore)) return { state: 'not-yet', newest };
  if (nowMs > Date.parse(notAfter)) return { state: 'expired', newest };
  return { state: 'valid', newest };
}

/** Walks from the first statement; undefined when it does not pass each of them exactly once. */
function endOfChain(statements: readonly VerifiedCertificate[]): VerifiedCertificate | undefined {
  const next = new Map(statements.map((statement) => [statement.certificate.previous, statement]));
  let newest = next.get(null);
  let passed = newest === undefined ? 0 : 1;
  while (newest !== undefined && passed < statements.length) {
    newest = next.get(newest.hash);
    passed += 1;
  }
  return newest;
}
