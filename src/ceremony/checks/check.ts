/** A named check: what it found, in one sentence. Names are stable; they stand in transcripts. */
import type { CeremonyFacts, DocumentFacts } from '../facts.js';

export const CHECK_NAMES = [
  'MANIFEST-HASH',
  'REQUEST-HASH',
  'POLICY-HASH',
  'BASE-HASH',
  'BASE-THRESHOLD',
  'BASE-LATEST',
  'PREVIOUS-SEALED',
  'VERSION-NEXT',
  'PAYLOAD-REPRODUCED',
  'DIFF-DECLARED',
  'KEYID-MATCH',
  'KEY-UNIQUE',
  'KEY-POP',
  'KEY-ATTESTED',
  'KEY-FIRMWARE',
  'KEY-SEPARATE',
  'SCHEME-PROFILE',
  'EXPIRY-FORMAT',
  'EXPIRY-WINDOW',
  'THRESHOLD-SANE',
  'OLD-REACHABLE',
  'NEW-REACHABLE',
  'NAME-CHARSET',
  'PATTERN-CHARSET',
  'FIELD-PROFILE',
  'ONLINE-NOT-ROOT',
  'CLOCK-SANE',
  'SIZE-LIMITS',
  'SIGNATURE-VALID',
  'CLIENT-WALK',
  'TRANSCRIPT-CHAIN',
  'OUTPUT-REPRODUCED',
  'SEAL-VALID',
] as const;

export type CheckName = (typeof CHECK_NAMES)[number];

export interface CheckResult {
  readonly check: CheckName;
  /** Document, file or person; empty for the whole. */
  readonly subject: string;
  readonly passed: boolean;
  readonly says: string;
}

/** Pure: the same facts give the same results. */
export type Check = (facts: CeremonyFacts) => readonly CheckResult[];

/** What one document comes to: undefined is good, a sentence is not. */
export type DocumentJudge = (document: DocumentFacts, facts: CeremonyFacts) => string | undefined;

export function pass(check: CheckName, subject: string, says: string): CheckResult {
  return { check, subject, passed: true, says };
}

export function fail(check: CheckName, subject: string, says: string): CheckResult {
  return { check, subject, passed: false, says };
}

/** A check of each document by itself. @param good what to say when nothing is wrong */
export function perDocument(check: CheckName, good: string, judge: DocumentJudge): Check {
  return (facts) =>
    facts.documents.map((document) => {
      const problem = judge(document, facts);
      const { id } = document.order;
      return problem === undefined ? pass(check, id, good) : fail(check, id, problem);
    });
}
