/** Rules about the fields that every document has, and about what it lists. */
import type { TufDocument, TufHashes, TufType } from '../document.js';
import type { Problem, Rule } from './rule.js';

const WHOLE_SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const COMMON = ['_type', 'spec_version', 'version', 'expires'];
const FIELDS: Readonly<Record<TufType, readonly string[]>> = {
  root: [...COMMON, 'consistent_snapshot', 'keys', 'roles'],
  targets: [...COMMON, 'targets', 'delegations'],
  snapshot: [...COMMON, 'meta'],
  timestamp: [...COMMON, 'meta'],
};
const OWN_FIELD = /^x-[a-z0-9-]+$/;
/** What clients download at most unless told otherwise. Bytes. */
const LIMITS: Readonly<Record<TufType, number>> = {
  root: 512_000,
  timestamp: 16_384,
  snapshot: 2_000_000,
  targets: 5_000_000,
};
/** A segment with a dot in front is matched by `*` in every client but tuf-js. */
const TARGET_NAME = /^(?!\.)[^/\\\p{Cc}]+(?:\/(?!\.)[^/\\\p{Cc}]+)*$/u;

export const expiresForm: Rule = ({ signed: { expires } }) =>
  WHOLE_SECONDS.test(expires)
    ? []
    : [{ where: 'expires', message: 'only whole seconds and Z are the same to all: YYYY-MM-DDTHH:MM:SSZ' }];

/** Before `_type`, a field would also take the type from the first bytes, by which signers know what they sign. */
export const fieldNames: Rule = ({ signed }) =>
  Object.keys(signed.raw)
    .filter((name) => !FIELDS[signed.type].includes(name) && !OWN_FIELD.test(name))
    .map((name) => ({ where: name, message: 'a field of your own begins with x- and is in lower case' }));

export const sizeLimits: Rule = ({ signed: { type }, bytes }) =>
  bytes <= LIMITS[type]
    ? []
    : [{ where: 'file', message: `it has ${bytes} bytes, clients read ${LIMITS[type]} of ${type}` }];

export const timestampMeta: Rule = ({ signed }) => {
  if (signed.type !== 'timestamp') return [];
  const isAlone = signed.meta.size === 1 && signed.meta.has('snapshot.json');
  return isAlone ? [] : [{ where: 'meta', message: 'tuf-js drops everything but snapshot.json' }];
};

export const snapshotMeta: Rule = ({ signed }) => {
  if (signed.type !== 'snapshot') return [];
  const missing = { where: 'meta', message: 'targets.json is not listed' };
  const found: Problem[] = signed.meta.has('targets.json') ? [] : [missing];
  for (const name of signed.meta.keys()) {
    if (!name.endsWith('.json'))
      found.push({ where: `meta["${name}"]`, message: 'it does not end in .json' });
  }
  return found;
};

export const sha256: Rule = ({ signed }) =>
  hashesOf(signed).flatMap(({ where, hashes }) =>
    hashes['sha256'] === undefined ? [{ where, message: 'tough knows no other hash than SHA-256' }] : [],
  );

export const customObject: Rule = ({ signed }) => {
  if (signed.type !== 'targets') return [];
  return [...signed.targets]
    .filter(
      ([, { custom }]) =>
        custom !== undefined && (typeof custom !== 'object' || custom === null || Array.isArray(custom)),
    )
    .map(([name]) => ({ where: `targets["${name}"]`, message: 'go-tuf drops a custom that is no object' }));
};

export const targetName: Rule = ({ signed }) => {
  if (signed.type !== 'targets') return [];
  return [...signed.targets.keys()]
    .filter((name) => !TARGET_NAME.test(name))
    .map((name) => ({
      where: `targets["${name}"]`,
      message: 'it is no plain relative path without dots in front',
    }));
};

function hashesOf(signed: TufDocument): readonly { where: string; hashes: TufHashes }[] {
  if (signed.type === 'root') return [];
  const [field, listed] = signed.type === 'targets' ? ['targets', signed.targets] : ['meta', signed.meta];
  return [...listed].flatMap(([name, { hashes }]) =>
    hashes === undefined ? [] : [{ where: `${field}["${name}"]`, hashes }],
  );
}
