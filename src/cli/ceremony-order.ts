/** What a ceremony is for, from the options of a command line. */
import {
  ONLINE_ROLES,
  type CeremonyAction,
  type CertificateOrder,
  type DelegationOrder,
  type RoleKeyOrder,
} from '../ceremony/action.js';
import { keyIdOfSpki, type Enrolment } from '../ceremony/enrolment.js';
import { sha256Hex } from '../ceremony/one-form.js';
import { readOnlineKeys } from '../ceremony/online-keys.js';
import { rawFromSpki } from '../crypto/public-key.js';
import { decodeEnvelope } from '../formats/dsse.js';
import { parseKeyCertificate } from '../formats/key-certificate/document.js';
import { parseKeyName } from '../keys/key-name.js';
import { kindsOfRole } from '../keys/roles.js';
import { holdersOf } from '../ceremony/facts.js';
import type { HeldKey, HolderBook } from '../ceremony/holder-book.js';
import type { CeremonyPolicy } from '../ceremony/policy.js';
import { decodePem } from '../encoding/pem.js';
import { AgentError } from '../errors/agent-error.js';
import { readTextFile } from './input-file.js';
import type { OptionValues } from './option-values.js';

const ACTIONS = [
  'init',
  'extend',
  'rotate',
  'threshold',
  'certify',
  'revoke',
  'online-keys',
  'heal',
] as const;

const MOST = { min: 1, max: 64 };

/** @throws AgentError usage.invalid naming the option */
export function actionFrom(
  type: string,
  options: OptionValues,
  policy: CeremonyPolicy,
  enrolments: readonly Enrolment[],
  dates: Pick<CertificateOrder, 'notBefore' | 'notAfter'>,
): CeremonyAction {
  const threshold = options.integer('threshold', MOST) ?? null;
  const change = { ...rootKeys(options, policy, enrolments), threshold };
  switch (type) {
    case 'init':
      return {
        type,
        enters: change.enters,
        threshold: required('threshold', threshold),
        online: onlineKeys(options),
      };
    case 'extend':
      return { type };
    case 'rotate':
      return { type, ...change };
    case 'threshold':
      return { type, threshold: required('threshold', threshold) };
    case 'certify':
      return {
        type,
        delegations: delegations(options),
        certificates: certificates(options, 'certify', dates),
      };
    case 'revoke':
      return {
        type,
        ...change,
        delegations: options.list('undelegate'),
        certificates: certificates(options, 'revoke-key', dates),
      };
    case 'online-keys':
      return { type, online: onlineKeys(options) };
    case 'heal':
      return { type, from: required('from', options.integer('from', { min: 1, max: 1_000_000 }) ?? null) };
    default:
      throw invalid(`there is no action ${type}; there are ${ACTIONS.join(', ')}`);
  }
}

/** Keys that leave and enter the root role. All who were enrolled enter unless somebody is named. */
function rootKeys(
  options: OptionValues,
  policy: CeremonyPolicy,
  enrolments: readonly Enrolment[],
): { readonly leaves: readonly string[]; readonly enters: readonly string[] } {
  const replaced = options.list('replace').map((text) => pairOf(text, 'replace', 'carol=dave'));
  const known = holdersOf(policy, []);
  const leaving = [...options.list('leaves'), ...replaced.map(([old]) => old)];
  const entering = [...options.list('enters'), ...replaced.map(([, next]) => next)];
  const named = entering.map((name) => {
    const found = enrolments.find(({ holder }) => holder === name);
    if (found === undefined) throw invalid(`${name} enters: name the enrolment with --enrolment`);
    return found.keyId;
  });
  const all = enrolments.map(({ keyId }) => keyId);
  return {
    leaves: leaving.map((text) => keyOf(text, known).keyId),
    enters: entering.length > 0 ? named : all,
  };
}

/** `carol`, or `carol:15938791` where carol has several tokens. */
function keyOf(text: string, known: HolderBook): HeldKey {
  const [name = '', serial] = text.split(':', 2);
  const keys = known.keys(name).filter((key) => serial === undefined || key.serial === serial);
  const [only, ...more] = keys;
  if (only !== undefined && more.length === 0) return only;
  if (only === undefined) throw invalid(`${text} leaves: the policy knows no such holder`);
  throw invalid(`${text} leaves: say which token, for example ${name}:${only.serial}`);
}

function onlineKeys(options: OptionValues): readonly RoleKeyOrder[] {
  const thresholds = new Map(
    options.list('online-threshold').map((text) => pairOf(text, 'online-threshold', 'targets=2')),
  );
  const files = options.list('online').map((text) => pairOf(text, 'online', 'targets=targets.pem'));
  const places = [...new Set(files.map(([place]) => place))];
  const collected = options
    .list('online-keys')
    .flatMap((file) => readOnlineKeys(Buffer.from(readTextFile(file), 'utf8'), file));
  const named = places.map((place) => {
    const { document, role } = placeOf(place);
    const publicKeys = files.filter(([one]) => one === place).map(([, file]) => publicKeyOf(file));
    const threshold = Number(thresholds.get(place) ?? '1');
    if (!Number.isInteger(threshold) || threshold < 1)
      throw invalid(`option --online-threshold: ${place}=NUMBER`);
    return { document, role, publicKeys, threshold };
  });
  return [...named, ...collected];
}

/** `timestamp`, or `REPOSITORY#timestamp`. */
function placeOf(place: string): Pick<RoleKeyOrder, 'document' | 'role'> {
  const at = place.lastIndexOf('#');
  const role = ONLINE_ROLES.find((one) => one === place.slice(at + 1));
  if (role === undefined) throw invalid(`option --online: one of ${ONLINE_ROLES.join(', ')} before the =`);
  return { document: at === -1 ? null : `${place.slice(0, at)}#root`, role };
}

/** `NAME=KEY.pem[,KEY.pem]:PATH[,PATH]`. */
function delegations(options: OptionValues): readonly DelegationOrder[] {
  const threshold = options.integer('threshold', MOST) ?? 1;
  return options.list('delegate').map((text) => {
    const [name, rest] = pairOf(text, 'delegate', 'repo-app=app.pem:app/*');
    const [files = '', paths = ''] = rest.split(':', 2);
    if (files === '' || paths === '') throw invalid('option --delegate: repo-app=app.pem:app/* is the form');
    return { name, threshold, publicKeys: files.split(',').map(publicKeyOf), paths: paths.split(',') };
  });
}

/** `REPOSITORY#ROLE@EPOCH=KEY.pem`, after the certificates that are named with --after. */
function certificates(
  options: OptionValues,
  option: 'certify' | 'revoke-key',
  dates: Pick<CertificateOrder, 'notBefore' | 'notAfter'>,
): readonly CertificateOrder[] {
  const earlier = options.list('after').map((file) => decodeEnvelope(readTextFile(file)).payload);
  return options.list(option).map((text) => {
    const [name, file] = pairOf(text, option, 'docker.io/acme/app#cosign@1=app.pem');
    const { repository, role, epoch = 1 } = parseKeyName(name);
    const publicKey = publicKeyOf(file);
    const keyId = keyIdOfSpki(publicKey);
    const before = earlier.findLast((payload) => parseKeyCertificate(payload).keyId === keyId);
    const { algorithm } = rawFromSpki(Buffer.from(publicKey, 'base64'));
    const kinds = option === 'certify' ? kindsOfRole(role) : [];
    const previous = before === undefined ? null : sha256Hex(before);
    return { repository, role, publicKey, keyId, algorithm, epoch, kinds, previous, ...dates };
  });
}

/** A PEM public key, base64 of its DER. */
function publicKeyOf(file: string): string {
  const { label, der } = decodePem(readTextFile(file), `reading ${file}`);
  if (label === 'PUBLIC KEY') return der.toString('base64');
  throw invalid(`reading ${file}: it is not a PEM PUBLIC KEY`);
}

function pairOf(text: string, option: string, example: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
  throw invalid(`option --${option}: ${example} is the form`);
}

function required(option: string, value: number | null): number {
  if (value !== null) return value;
  throw invalid(`option --${option}: this action needs it`);
}

function invalid(message: string): AgentError {
  return new AgentError('usage.invalid', { message });
}
