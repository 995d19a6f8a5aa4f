/** The keys: are they what they are called, on tokens, and not used for anything else. */
import { tufKeyIdOf } from '../../formats/tuf/key.js';
import { tufKeyId } from '../../formats/notary1/key.js';
import { isFirmwareBefore } from '../../formats/firmware-version.js';
import { TOP_ROLES } from '../../formats/tuf/document.js';
import { judgeAttestation } from '../attestation.js';
import { keyIdsOf, type AuthorityKey } from '../authority.js';
import { keyIdOfSpki, possessionMessage, type Enrolment } from '../enrolment.js';
import type { CeremonyFacts, DocumentFacts } from '../facts.js';
import { isSignedBy } from '../signing-key.js';
import { fail, pass, perDocument, type Check } from './check.js';

/** Every id is the hash of its key; those that stood in the base under another id stay as they are. */
export const keyidMatch: Check = perDocument(
  'KEYID-MATCH',
  'every key id is that of its key',
  ({ base, proposed }) => {
    const known = new Set(keysOf(base.at(-1)?.document).map(({ id }) => id));
    const wrong = keysOf(proposed).find((key) => key.id !== ownId(key) && !known.has(key.id));
    return wrong === undefined ? undefined : `${wrong.id.slice(0, 16)} is not the id of its key`;
  },
);

/** No public key goes by two ids. */
export const keyUnique: Check = perDocument('KEY-UNIQUE', 'no key stands there twice', ({ proposed }) => {
  const ids = new Map<string, string>();
  for (const { id, keyId } of keysOf(proposed)) {
    const other = ids.get(keyId);
    if (other !== undefined && other !== id) return `key ${keyId.slice(0, 16)} goes by two ids`;
    ids.set(keyId, id);
  }
  return undefined;
});

/** Whoever enters has shown to hold the key, for this ceremony. */
export const keyPop: Check = (facts) => {
  const { enrolments, request } = facts;
  const judged = enrolments.map(({ value, sha256 }) => {
    const { holder } = value;
    const named = request.value.enrolments.find((one) => one.holder === holder);
    const problem =
      named?.sha256 === sha256
        ? possessionProblem(value, request.value.id)
        : 'the request names another file';
    return problem === undefined
      ? pass('KEY-POP', holder, 'the new key has signed for this ceremony')
      : fail('KEY-POP', holder, problem);
  });
  const missing = request.value.enrolments.filter(
    ({ holder }) => !enrolments.some(({ value }) => value.holder === holder),
  );
  const absent = missing.map(({ holder }) => fail('KEY-POP', holder, 'the enrolment is not there'));
  const unknown = entering(facts)
    .filter((keyId) => !enrolments.some(({ value }) => value.keyId === keyId))
    .map((keyId) => fail('KEY-POP', keyId.slice(0, 16), 'nobody was enrolled with this key'));
  return [...judged, ...absent, ...unknown];
};

/** Whether the maker of the token vouches for the key. */
export const keyAttested: Check = ({ enrolments, policy }) =>
  enrolments.map(({ value }) => {
    const { attestation, anchors } = policy.value.tokens;
    const verdict = judgeAttestation(value, anchors);
    if (verdict.state === 'attested') return pass('KEY-ATTESTED', value.holder, verdict.says);
    const isAllowed = verdict.state === 'none' && attestation === 'optional';
    return (isAllowed ? pass : fail)('KEY-ATTESTED', value.holder, verdict.says);
  });

/** Firmware, PIN and touch are what the policy asks for. */
export const keyFirmware: Check = ({ enrolments, policy }) =>
  enrolments.map(({ value }) => {
    const problem = tokenProblem(value, policy.value.tokens);
    return problem === undefined
      ? pass('KEY-FIRMWARE', value.holder, `firmware ${value.token.firmware ?? 'not known'}`)
      : fail('KEY-FIRMWARE', value.holder, problem);
  });

/** No root key derives anything. */
export const keySeparate: Check = (facts) => {
  const deriving = new Set([
    ...facts.policy.value.derivationKeys,
    ...facts.enrolments.flatMap(({ value }) => value.derivationKeys),
  ]);
  return facts.documents.map(({ order, proposed }) => {
    const root = proposed.authority === undefined ? [] : keyIdsOf(proposed.authority.root);
    const both = [...root, ...entering(facts)].find((keyId) => deriving.has(keyId));
    return both === undefined
      ? pass('KEY-SEPARATE', order.id, 'no root key is a derivation key')
      : fail(
          'KEY-SEPARATE',
          order.id,
          `${facts.holders.nameOf(both)} derives repository keys, and must not be a root key`,
        );
  });
};

/** Every key is of a scheme that the policy allows. */
export const schemeProfile: Check = perDocument(
  'SCHEME-PROFILE',
  'every key is of a scheme that clients take',
  ({ proposed }, { policy }) => {
    const allowed: readonly string[] = policy.value.schemes;
    const wrong = keysOf(proposed).find(({ scheme }) => !allowed.includes(scheme));
    return wrong === undefined ? undefined : `a key signs with ${wrong.scheme.slice(0, 40)}`;
  },
);

/** What online machines hold signs nothing that is offline. */
export const onlineNotRoot: Check = perDocument(
  'ONLINE-NOT-ROOT',
  'no key of snapshot or timestamp is in root or targets',
  ({ proposed }) => {
    const { authority } = proposed;
    if (authority === undefined) return undefined;
    const offline = new Set([...keyIdsOf(authority.root), ...keyIdsOf(authority.targets)]);
    const both = [...keyIdsOf(authority.snapshot), ...keyIdsOf(authority.timestamp)].find((one) =>
      offline.has(one),
    );
    return both === undefined ? undefined : `key ${both.slice(0, 16)} is both online and offline`;
  },
);

function keysOf(document: DocumentFacts['proposed'] | undefined): readonly AuthorityKey[] {
  const { authority } = document ?? {};
  return authority === undefined ? [] : TOP_ROLES.flatMap((role) => authority[role].keys);
}

function ownId({ origin }: AuthorityKey): string {
  return origin.format === 'tuf' ? tufKeyIdOf(origin.key) : tufKeyId(origin.key);
}

function entering({ request }: CeremonyFacts): readonly string[] {
  const { action } = request.value;
  return 'enters' in action ? action.enters : [];
}

function possessionProblem(enrolment: Enrolment, ceremony: string): string | undefined {
  const { holder, keyId, publicKey, algorithm, proof } = enrolment;
  if (enrolment.ceremony !== ceremony) return `it is for ceremony ${enrolment.ceremony}`;
  if (keyIdOfSpki(publicKey) !== keyId) return 'the key id is not that of the public key';
  const message = possessionMessage({ ceremony, holder, keyId });
  return isSignedBy({ publicKey, algorithm }, message, proof)
    ? undefined
    : 'the proof of possession does not verify';
}

function tokenProblem(
  { token, pinPolicy, touchPolicy }: Enrolment,
  rules: CeremonyFacts['policy']['value']['tokens'],
): string | undefined {
  const { minimumFirmware, pin, touch } = rules;
  if (minimumFirmware !== null && isOlder(token.firmware, minimumFirmware)) {
    return `firmware ${token.firmware ?? 'not known'} is below ${minimumFirmware}`;
  }
  if (pin !== 'any' && pinPolicy !== 'always' && pinPolicy !== pin)
    return `the PIN is asked ${pinPolicy}, not ${pin}`;
  if (touch !== 'any' && touchPolicy !== 'always' && touchPolicy !== touch)
    return `touch is ${touchPolicy}, not ${touch}`;
  return undefined;
}

/** What is not known may be as old as anything. */
function isOlder(version: string | null, minimum: string): boolean {
  return version === null || isFirmwareBefore(version, minimum);
}
