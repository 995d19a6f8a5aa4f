/** A certificate of a repository key, or its revocation, as the action orders it. */
import { parseJsonStrict } from '../encoding/json.js';
import { keyCertificatePayload } from '../formats/key-certificate/document.js';
import { isJsonObject, type JsonObject } from '../formats/json-object.js';
import { certificateId } from './action.js';
import { unfitting, type PayloadInput } from './payload.js';

/** @throws AgentError `ceremony.action`, `certificate.invalid` */
export function certificateAfter({ action, id }: PayloadInput): JsonObject {
  if (action.type !== 'certify' && action.type !== 'revoke')
    throw unfitting(`${action.type}: it certifies nothing`);
  const order = action.certificates.find((one) => certificateId(one) === id);
  if (order === undefined) throw unfitting(`${id} is not certified by this action`);
  const payload = keyCertificatePayload({ ...order, action: action.type });
  const value = parseJsonStrict(payload, 'making a certificate', 'ceremony.action');
  if (isJsonObject(value)) return value;
  throw unfitting('the certificate is no object');
}
