/**
 * Key names as people write them: `REPOSITORY#ROLE[@EPOCH][~ALGORITHM][:INDEX]`. Only one spelling per part is taken, and
 * the alphabets are those of the derivation context.
 */
import { isKeyAlgorithm, KEY_ALGORITHMS, type KeyAlgorithm } from '../crypto/algorithms.js';
import { checkDeriveText } from '../crypto/derive.js';
import { AgentError } from '../errors/agent-error.js';
import type { KeyRecord, RepositoryRoot } from './key-record.js';

const DEFAULT_ALGORITHM: KeyAlgorithm = 'ecdsa-p256';
const DEFAULT_INDEX = 0;
const MAX_U32 = 0xffff_ffff;
const GRAMMAR = /^([^#]*)#([^#@~:]*)(?:@([0-9]+))?(?:~([a-z0-9-]+))?(?::([0-9]+))?$/;

/** What was written; a part left out is undefined and means its default. */
export interface KeyName {
  readonly repository: string;
  readonly role: string;
  readonly epoch?: number | undefined;
  readonly algorithm?: KeyAlgorithm | undefined;
  readonly index?: number | undefined;
}

/**
 * Reads a key name.
 * @throws AgentError `key.name-invalid`, naming the part.
 */
export function parseKeyName(text: string): KeyName {
  const match = GRAMMAR.exec(text);
  if (match === null)
    throw invalid(text.includes('#') ? 'it does not have the form of a key name' : 'there is no #ROLE in it');
  const [, repository = '', role = '', epoch, algorithm, index] = match;
  checkPart('repository', repository);
  checkPart('role', role);
  return {
    repository,
    role,
    ...(epoch === undefined ? {} : { epoch: readNumber('epoch', epoch, 1) }),
    ...(algorithm === undefined ? {} : { algorithm: readAlgorithm(algorithm) }),
    ...(index === undefined ? {} : { index: readNumber('index', index, 0) }),
  };
}

/** The shortest text that reads back as the same key: defaults are left out. */
export function formatKeyName(name: KeyName): string {
  const { repository, role, epoch, algorithm = DEFAULT_ALGORITHM, index = DEFAULT_INDEX } = name;
  const epochPart = epoch === undefined ? '' : `@${epoch}`;
  const algorithmPart = algorithm === DEFAULT_ALGORITHM ? '' : `~${algorithm}`;
  const indexPart = index === DEFAULT_INDEX ? '' : `:${index}`;
  return `${repository}#${role}${epochPart}${algorithmPart}${indexPart}`;
}

/** Name of a record; the epoch stands in it only when it is not the active one. */
export function keyNameOf(record: KeyRecord | RepositoryRoot): string {
  if (record.usage !== 'sign') return record.name;
  const { repository, role, algorithm, index, epoch, state } = record;
  return formatKeyName({ repository, role, algorithm, index, ...(state === 'active' ? {} : { epoch }) });
}

/** Algorithm and index with the defaults filled in. */
export function withDefaults(
  name: KeyName,
): KeyName & { readonly algorithm: KeyAlgorithm; readonly index: number } {
  return { ...name, algorithm: name.algorithm ?? DEFAULT_ALGORITHM, index: name.index ?? DEFAULT_INDEX };
}

function checkPart(part: 'repository' | 'role', value: string): void {
  try {
    checkDeriveText(part, value);
  } catch (cause) {
    if (!(cause instanceof AgentError)) throw cause;
    throw invalid(cause.message, part);
  }
}

function readNumber(part: string, digits: string, min: number): number {
  const value = Number(digits);
  // A second spelling of the same number would be a second name of the same key.
  if (String(value) !== digits || value < min || value > MAX_U32) {
    throw invalid(`${part}: a whole number from ${min} to ${MAX_U32} without leading zeros is needed`, part);
  }
  return value;
}

function readAlgorithm(text: string): KeyAlgorithm {
  if (!isKeyAlgorithm(text)) {
    throw invalid(`algorithm: one of ${KEY_ALGORITHMS.join(', ')} is needed`, 'algorithm');
  }
  return text;
}

function invalid(problem: string, part?: string): AgentError {
  return new AgentError('key.name-invalid', {
    message: `reading a key name: ${problem}`,
    ...(part === undefined ? {} : { details: { field: part } }),
  });
}
