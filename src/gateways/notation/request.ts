/** What notation asks of a signing plugin (Notary Project plugin contract 1.0): the command is an argument, the request comes on standard input. */
import { decodeBase64 } from '../../encoding/base64.js';
import { parseJsonStrict } from '../../encoding/json.js';
import { isJsonObject } from '../../formats/json-object.js';
import { PluginError } from './plugin-error.js';

export const CONTRACT = '1.0';
export const KEY_SPEC = 'EC-256';
const HASH = 'SHA-256';

/** The key that a request names. @throws PluginError */
export function readKeyRequest(text: string): { readonly keyId: string; readonly fields: Fields } {
  const fields = readFields(text);
  const { contractVersion, keyId } = fields;
  if (contractVersion !== CONTRACT) {
    throw new PluginError('UNSUPPORTED_CONTRACT_VERSION', `this plugin speaks contract ${CONTRACT}`);
  }
  if (typeof keyId !== 'string' || keyId === '')
    throw new PluginError('VALIDATION_ERROR', 'keyId is missing');
  return { keyId, fields };
}

/** The exact bytes to sign. @throws PluginError, AgentError `usage.invalid` */
export function readPayload(fields: Fields): Buffer {
  const { keySpec, hashAlgorithm, payload } = fields;
  if (keySpec !== KEY_SPEC || hashAlgorithm !== HASH) {
    throw new PluginError('VALIDATION_ERROR', `keys here are ${KEY_SPEC} and sign ${HASH}`);
  }
  if (typeof payload !== 'string') throw new PluginError('VALIDATION_ERROR', 'payload is missing');
  return decodeBase64(payload, 'payload');
}

export type Fields = Readonly<Record<string, unknown>>;

function readFields(text: string): Fields {
  const value = parseJsonStrict(text, 'reading the request', 'rpc.parse');
  if (isJsonObject(value)) return value;
  throw new PluginError('VALIDATION_ERROR', 'the request is not an object');
}
