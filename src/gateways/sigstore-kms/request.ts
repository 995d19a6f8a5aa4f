/** What cosign asks of a KMS plugin (sigstore KMS plugin protocol v1): one method per process, in the second argument. */
import { decodeBase64 } from '../../encoding/base64.js';
import { parseJsonStrict } from '../../encoding/json.js';
import { AgentError } from '../../errors/agent-error.js';
import { isJsonObject } from '../../formats/json-object.js';

const PROTOCOL = 'v1';

const METHODS = [
  'defaultAlgorithm',
  'supportedAlgorithms',
  'createKey',
  'publicKey',
  'signMessage',
  'verifySignature',
] as const;

export type KmsMethod = (typeof METHODS)[number];

export interface KmsRequest {
  readonly method: KmsMethod;
  readonly keyResourceId: string;
  /** RFC 3339; the process is killed then. */
  readonly deadline: string | undefined;
  /** Asked for by `createKey`. */
  readonly algorithm: string | undefined;
  /** Computed by cosign; only believed where there is no message. */
  readonly digest: Buffer | undefined;
  /** To verify. */
  readonly signature: Buffer | undefined;
}

/**
 * Reads the arguments after the program.
 * @throws AgentError `rpc.version` for another protocol, `rpc.method`, `rpc.parse`
 */
export function readKmsRequest(argv: readonly string[]): KmsRequest {
  const [version, text] = argv;
  if (version !== PROTOCOL) {
    throw new AgentError('rpc.version', {
      message: `this plugin speaks protocol ${PROTOCOL} of sigstore, not ${(version ?? 'none').slice(0, 20)}`,
      hint: 'it is started by cosign: cosign sign --key touchstone://REPOSITORY IMAGE',
    });
  }
  const request = fieldsOf(parseJsonStrict(text ?? '', 'reading the request', 'rpc.parse'));
  const init = fieldsOf(request['initOptions']);
  const method = METHODS.find((name) => name === request['methodName']);
  if (method === undefined) throw new AgentError('rpc.method');
  const fields = fieldsOf(request[method]);
  const options = fieldsOf(fields['signOptions'] ?? fields['verifyOptions'] ?? fields['publicKeyOptions']);
  const rpc = fieldsOf(options['rpcOptions']);
  return {
    method,
    keyResourceId: textOf(init['keyResourceID']) ?? '',
    deadline: textOf(rpc['ctxDeadline']) ?? textOf(fields['ctxDeadline']) ?? textOf(init['ctxDeadline']),
    algorithm: textOf(fields['algorithm']),
    digest: bytesOf(fieldsOf(options['messageOptions'])['digest'], 'digest'),
    signature: bytesOf(fields['signature'], 'signature'),
  };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return isJsonObject(value) ? value : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Go writes null for bytes that are not there. */
function bytesOf(value: unknown, what: string): Buffer | undefined {
  const text = textOf(value);
  return text === undefined ? undefined : decodeBase64(text, `reading the request: ${what}`, 'rpc.parse');
}
