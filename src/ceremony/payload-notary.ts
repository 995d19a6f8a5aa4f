/** The next root of a repository of a notary-server: its root keys come in certificates made out to that repository. */
import { AgentError } from '../errors/agent-error.js';
import { parseJsonStrict } from '../encoding/json.js';
import { isJsonObject, type JsonObject } from '../formats/json-object.js';
import type { RootDocument } from '../formats/notary1/document.js';
import {
  notaryKeyFromCertificates,
  notaryKeyFromSpki,
  notarySpki,
  type NotaryKey,
} from '../formats/notary1/key.js';
import { coversRepository, rootCertificateOf } from '../formats/notary1/root-certificate.js';
import { signedBytesOf } from '../formats/notary1/writer.js';
import { firstRoot, withRole } from '../trust/root-changes.js';
import { ONLINE_ROLES, onlineOf, type RoleKeyOrder } from './action.js';
import type { OpenDocument } from './document.js';
import { sha256Hex } from './one-form.js';
import { healed, nextVersion, unfitting, type PayloadInput } from './payload.js';

/** @throws AgentError `ceremony.action`, `notary.document` */
export function notaryRootAfter(repository: string, input: PayloadInput): JsonObject {
  const root = changedRoot(repository, input);
  const next = { ...root, version: nextVersion(input), expires: input.expires };
  const value = parseJsonStrict(signedBytesOf(next), 'making a root', 'ceremony.action');
  if (isJsonObject(value)) return value;
  throw unfitting('the root is no object');
}

function changedRoot(repository: string, input: PayloadInput): RootDocument {
  const { action, base } = input;
  switch (action.type) {
    case 'init':
      if (base.length > 0) throw unfitting('init: there is a root already');
      return firstOf(repository, input, action);
    case 'extend':
      return rootOf(base.at(-1));
    case 'rotate':
    case 'revoke':
      return withRootKeys(repository, input, action);
    case 'threshold':
      return withRootKeys(repository, input, { leaves: [], enters: [], threshold: action.threshold });
    case 'online-keys':
      return onlineOf(action.online, input.id).reduce(
        (root, order) => withRole(root, order.role, choiceOf(order)),
        rootOf(base.at(-1)),
      );
    case 'heal':
      return rootOf(healed(input, action.from));
    case 'certify':
      throw unfitting('certify: the keys of a repository of a notary-server change with online-keys');
  }
}

interface RootKeyChange {
  readonly leaves: readonly string[];
  readonly enters: readonly string[];
  readonly threshold: number | null;
}

function withRootKeys(repository: string, input: PayloadInput, change: RootKeyChange): RootDocument {
  const root = rootOf(input.base.at(-1));
  const old = root.roles.root.keyids.flatMap((id) => root.keys.get(id) ?? []);
  const leaving = new Set(change.leaves);
  const kept = old.filter((key) => !leaving.delete(sha256Hex(notarySpki(key))));
  if (leaving.size > 0) throw unfitting(`${repository}: a key leaves that is no root key`);
  const entering = change.enters.map((keyId) => certifiedKey(repository, keyId, input));
  const threshold = change.threshold ?? root.roles.root.threshold;
  return fitting(() => withRole(root, 'root', { keys: [...kept, ...entering], threshold }));
}

function firstOf(
  repository: string,
  input: PayloadInput,
  action: {
    readonly enters: readonly string[];
    readonly threshold: number;
    readonly online: readonly RoleKeyOrder[];
  },
): RootDocument {
  const keys = action.enters.map((keyId) => certifiedKey(repository, keyId, input));
  const [targets, snapshot, timestamp] = ONLINE_ROLES.map((role) => {
    const order = onlineOf(action.online, input.id).find((one) => one.role === role);
    if (order === undefined) throw unfitting(`${repository}: no key for ${role}`);
    return choiceOf(order);
  });
  if (targets === undefined || snapshot === undefined || timestamp === undefined)
    throw unfitting('a role is missing');
  return fitting(() =>
    firstRoot({ root: { keys, threshold: action.threshold }, targets, snapshot, timestamp }),
  );
}

/** The key in the certificate that was made for this repository when it was enrolled. */
function certifiedKey(repository: string, keyId: string, { enrolments }: PayloadInput): NotaryKey {
  const enrolment = enrolments.find((one) => one.keyId === keyId);
  const pem = enrolment?.certificates.find((one) => one.repository === repository)?.pem;
  if (pem === undefined) throw unfitting(`key ${keyId.slice(0, 16)} has no certificate for ${repository}`);
  const key = notaryKeyFromCertificates(pem);
  if (sha256Hex(notarySpki(key)) !== keyId)
    throw unfitting(`the certificate for ${repository} is one of another key`);
  if (coversRepository(rootCertificateOf(key).commonName, repository)) return key;
  throw unfitting(`the certificate for ${repository} is made out to another repository`);
}

function choiceOf({ publicKeys, threshold }: RoleKeyOrder): {
  readonly keys: readonly NotaryKey[];
  readonly threshold: number;
} {
  return { keys: publicKeys.map((text) => notaryKeyFromSpki(Buffer.from(text, 'base64'))), threshold };
}

function fitting(make: () => RootDocument): RootDocument {
  try {
    return make();
  } catch (thrown) {
    if (thrown instanceof AgentError) throw unfitting(thrown.message);
    throw thrown;
  }
}

function rootOf(document: OpenDocument | undefined): RootDocument {
  const { content } = document ?? {};
  if (content?.format === 'notary1') return content.document;
  throw unfitting('there is no root of a notary-server to begin with');
}
