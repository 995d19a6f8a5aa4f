/** in-toto Statements (v0.1 and v1), the usual body of a DSSE envelope: what is attested about which artifacts. */
import { parseJsonStrict } from '../encoding/json.js';
import { printable } from '../encoding/utf8.js';
import { isJsonObject } from './json-object.js';
import type { StatementFacts } from './statement.js';
import { unrecognised } from './unrecognised.js';

export const IN_TOTO_TYPE = 'application/vnd.in-toto+json';

const KIND = `dsse:${IN_TOTO_TYPE}`;
const STATEMENT_TYPES: readonly unknown[] = [
  'https://in-toto.io/Statement/v1',
  'https://in-toto.io/Statement/v0.1',
];
const SHOWN_SUBJECTS = 5;

interface InTotoSubject {
  readonly name: string;
  /** `algorithm:hex`, in the order written. */
  readonly digests: readonly string[];
}

export interface InTotoStatement {
  readonly predicateType: string;
  readonly subjects: readonly InTotoSubject[];
}

/**
 * Reads a Statement: `_type`, at least one subject, each with at least one digest, and a predicate type.
 * @throws AgentError `statement.unrecognised`.
 */
export function parseInToto(body: Buffer): InTotoStatement {
  const statement = parseJsonStrict(body, `reading the bytes as ${KIND}`, 'statement.unrecognised');
  if (!isJsonObject(statement)) throw unrecognised(KIND, 'the body is not an object');
  const { _type: type, predicateType, subject } = statement;
  if (!STATEMENT_TYPES.includes(type))
    throw unrecognised(KIND, '_type is not an in-toto Statement v0.1 or v1');
  if (typeof predicateType !== 'string' || predicateType === '') {
    throw unrecognised(KIND, 'predicateType is missing');
  }
  if (!Array.isArray(subject) || subject.length === 0) throw unrecognised(KIND, 'there is no subject');
  return { predicateType, subjects: subject.map(subjectOf) };
}

/** Facts of a Statement: the predicate type, how many subjects, and the first five of them. */
export function inTotoFacts(statement: InTotoStatement): StatementFacts {
  const shown = statement.subjects.slice(0, SHOWN_SUBJECTS).map(({ name, digests }) => {
    const digest = digests[0] ?? '';
    return name === '' ? digest : `${printable(name, 100)}@${digest}`;
  });
  return {
    predicateType: printable(statement.predicateType, 200),
    subjectCount: statement.subjects.length,
    subjects: shown,
  };
}

/** Two lines: the predicate type, and what it is about. */
export function inTotoSummary(statement: InTotoStatement): readonly string[] {
  const [first] = statement.subjects;
  const more = statement.subjects.length > 1 ? ` and ${statement.subjects.length - 1} more` : '';
  const digest = first?.digests[0] ?? '';
  const name = first === undefined || first.name === '' ? '' : `${first.name} `;
  return [
    printable(`attestation ${statement.predicateType}`, 120),
    printable(`about ${printable(name, 30)}${printable(digest, 72)}${more}`, 120),
  ];
}

function subjectOf(value: unknown): InTotoSubject {
  if (!isJsonObject(value)) throw unrecognised(KIND, 'a subject is not an object');
  const { name = '', digest } = value;
  if (typeof name !== 'string') throw unrecognised(KIND, 'the name of a subject is not text');
  if (!isJsonObject(digest)) throw unrecognised(KIND, 'a subject has no digest');
  const digests = Object.entries(digest).map(([algorithm, hex]) => {
    if (!/^[A-Za-z0-9_-]{1,32}$/.test(algorithm))
      throw unrecognised(KIND, 'the name of a digest algorithm is not valid');
    if (typeof hex !== 'string' || !/^[0-9a-f]{8,256}$/.test(hex)) {
      throw unrecognised(KIND, 'the digest of a subject is not lower-case hex');
    }
    return `${algorithm}:${hex}`;
  });
  if (digests.length === 0) throw unrecognised(KIND, 'a subject has no digest');
  return { name, digests };
}
