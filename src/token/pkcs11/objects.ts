/** Objects on a token: finding them, reading their attributes one at a time, removing them. */
import type { Handle } from 'pkcs11js';
import { AgentError } from '../../errors/agent-error.js';
import { fromHex } from '../../encoding/hex.js';
import type { KeyReference } from '../token.js';
import { CKR_ATTRIBUTE_TYPE_INVALID } from './cryptoki.js';
import { driverCall, driverValueOf } from './rv.js';
import type { Pkcs11Session } from './session.js';
import {
  ATTRIBUTES,
  buildTemplate,
  type AttributeName,
  type AttributeValues,
  type FlagName,
} from './template.js';

/** More matches than anybody needs to see that a name is not unique. */
const MAX_MATCHES = 8;

/** CKA_ID and CKA_LABEL of a key name. */
export function nameAttributes(key: KeyReference): { readonly CKA_ID: Buffer; readonly CKA_LABEL: Buffer } {
  return { CKA_ID: fromHex(key.id, 'id'), CKA_LABEL: Buffer.from(key.label, 'utf8') };
}

/** Handles of the objects that have all these attributes, at most eight. */
export function findObjects(session: Pkcs11Session, values: AttributeValues): readonly Handle[] {
  const { calls } = session;
  const handle = session.handle();
  driverCall('C_FindObjectsInit', () => {
    calls.C_FindObjectsInit(handle, buildTemplate(values));
  });
  try {
    return driverCall('C_FindObjects', () => calls.C_FindObjects(handle, MAX_MATCHES));
  } finally {
    driverCall('C_FindObjectsFinal', () => {
      calls.C_FindObjectsFinal(handle);
    });
  }
}

/**
 * The one object with this name and these attributes.
 * @throws AgentError `token.key-missing`, `token.pin-needed` when nobody is logged in to see it
 */
export function findKeyObject(session: Pkcs11Session, key: KeyReference, values: AttributeValues): Handle {
  const [found, second] = findObjects(session, { ...nameAttributes(key), ...values });
  if (second !== undefined) {
    throw new AgentError('token.key-missing', {
      message: `key "${key.label}": the token holds more than one with this id and label`,
      hint: 'remove or rename the copies; nothing was used',
      details: { label: key.label, id: key.id },
    });
  }
  if (found !== undefined) return found;
  const code = session.isLoggedIn() ? 'token.key-missing' : 'token.pin-needed';
  const what = code === 'token.pin-needed' ? 'not visible before the PIN was entered' : 'not on the token';
  throw new AgentError(code, {
    message: `key "${key.label}": ${what}`,
    details: { label: key.label, id: key.id },
  });
}

/** One attribute; the binding fails as a whole when one of several is missing or sensitive. */
export function readAttribute(session: Pkcs11Session, object: Handle, name: AttributeName): Buffer {
  const [attribute] = driverCall('C_GetAttributeValue', () =>
    session.calls.C_GetAttributeValue(session.handle(), object, [{ type: ATTRIBUTES[name].type }]),
  );
  // An empty value comes back as undefined although the binding's types do not say so.
  const value: unknown = attribute?.value;
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}

/** A boolean attribute; undefined when the token does not have it. */
export function readFlag(session: Pkcs11Session, object: Handle, name: FlagName): boolean | undefined {
  try {
    const value = readAttribute(session, object, name);
    return value.length === 1 ? value[0] !== 0 : undefined;
  } catch (error) {
    if (driverValueOf(error) === CKR_ATTRIBUTE_TYPE_INVALID) return undefined;
    throw error;
  }
}

export function destroyObject(session: Pkcs11Session, object: Handle): void {
  driverCall('C_DestroyObject', () => {
    session.calls.C_DestroyObject(session.handle(), object);
  });
}

/**
 * Refuses a name that is in use, by id or by label, for any object.
 * @throws AgentError `token.object-exists`
 */
export function requireFreeName(session: Pkcs11Session, key: KeyReference): void {
  const { CKA_ID, CKA_LABEL } = nameAttributes(key);
  const taken =
    findObjects(session, { CKA_LABEL }).length > 0
      ? 'label'
      : findObjects(session, { CKA_ID }).length > 0
        ? 'id'
        : undefined;
  if (taken === undefined) return;
  throw new AgentError('token.object-exists', {
    message: `key "${key.label}": the token already holds an object with this ${taken}`,
    details: { label: key.label, id: key.id, taken },
  });
}
