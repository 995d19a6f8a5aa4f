/**
 * Notary Project signatures in their JWS form (notaryproject specifications, signature-envelope-jws): what is signed is the JWS signing
 * input, which carries the descriptor of the image. ES256 only, as keys here are P-256.
 */
import { decodeBase64, encodeBase64 } from '../encoding/base64.js';
import { parseJsonStrict } from '../encoding/json.js';
import { printable } from '../encoding/utf8.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import { isJsonObject } from './json-object.js';
import { NOTATION_PREFIX, startsWith } from './prefixes.js';
import type { Statement } from './statement.js';
import { unrecognised } from './unrecognised.js';

export const NOTATION_KIND = 'notation.payload';
const PAYLOAD_TYPE = 'application/vnd.cncf.notary.payload.v1+json';
const SCHEME = 'io.cncf.notary.signingScheme';
const SIGNING_TIME = 'io.cncf.notary.signingTime';
const EXPIRY = 'io.cncf.notary.expiry';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)$/;
const DIGEST = /^sha(?:256|384|512):[0-9a-f]{64,128}$/;
const AGENT = 'touchstone';

/** Headers that a reader must understand; one that this release does not know is not signed. */
const KNOWN_CRITICAL: ReadonlySet<unknown> = new Set([SCHEME, EXPIRY]);

export interface NotationTarget {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface NotationPayload {
  readonly target: NotationTarget;
  readonly signingTime: string;
  readonly expiry: string | undefined;
}

export interface NotationEnvelope extends NotationPayload {
  /** What the signature is over. */
  readonly signingInput: Buffer;
  /** r||s. */
  readonly signature: Buffer;
  /** DER, leaf first. */
  readonly chain: readonly Buffer[];
}

/** The bytes to sign for an image. @param signingTime whole seconds */
export function buildNotationPayload(target: NotationTarget, signingTime: Date): Buffer {
  const headers = {
    alg: 'ES256',
    crit: [SCHEME],
    cty: PAYLOAD_TYPE,
    [SCHEME]: 'notary.x509',
    [SIGNING_TIME]: signingTime.toISOString().replace(/\.\d{3}Z$/, 'Z'),
  };
  const { mediaType, digest, size, annotations } = target;
  const payload = {
    targetArtifact: { mediaType, digest, size, ...(annotations === undefined ? {} : { annotations }) },
  };
  const input = [headers, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return Buffer.from(input, 'latin1');
}

/** The envelope as JSON bytes. @param signature r||s. @param chain DER, leaf first, the self-signed root last */
export function encodeNotation(signingInput: Buffer, signature: Buffer, chain: readonly Buffer[]): Buffer {
  const [headers = '', payload = ''] = signingInput.toString('latin1').split('.');
  const envelope = {
    payload,
    protected: headers,
    header: { x5c: chain.map(encodeBase64), 'io.cncf.notary.signingAgent': AGENT },
    signature: signature.toString('base64url'),
  };
  return Buffer.from(JSON.stringify(envelope));
}

/**
 * Takes an envelope apart; nothing is verified.
 * @throws AgentError `verify.format`
 */
export function decodeNotation(content: Buffer): NotationEnvelope {
  const what = 'reading a Notation signature';
  const envelope = parseJsonStrict(content, what, 'verify.format');
  if (!isJsonObject(envelope) || !isJsonObject(envelope['header']))
    throw malformed('it is not a JWS envelope');
  const { payload, protected: headers, signature } = envelope;
  const chain = envelope['header']['x5c'];
  if (typeof payload !== 'string' || typeof headers !== 'string' || typeof signature !== 'string')
    throw malformed('a part is missing');
  if (!Array.isArray(chain) || !chain.every((one) => typeof one === 'string'))
    throw malformed('it has no certificates');
  const signingInput = Buffer.from(`${headers}.${payload}`, 'latin1');
  return {
    ...readSigned(signingInput),
    signingInput,
    signature: fromBase64Url(signature, 'the signature'),
    chain: chain.map((one) => decodeBase64(one, what, 'verify.format')),
  };
}

/** Reads the bytes to sign into facts. @throws AgentError `statement.unrecognised` */
export function describeNotation(bytes: Buffer): Statement {
  if (!startsWith(bytes, NOTATION_PREFIX))
    throw unrecognised(NOTATION_KIND, 'they are not the signing input of a JWS with ES256');
  const { target, signingTime, expiry } = read(bytes);
  return {
    kind: NOTATION_KIND,
    summary: [`Notation signature of ${printable(target.mediaType, 90)}`, printable(target.digest, 120)],
    facts: {
      digest: target.digest,
      mediaType: printable(target.mediaType, 120),
      size: target.size,
      signingTime,
      ...(expiry === undefined ? {} : { expiry }),
    },
    blind: false,
  };
}

function readSigned(signingInput: Buffer): NotationPayload {
  try {
    return read(signingInput);
  } catch (thrown) {
    throw malformed(asAgentError(thrown).message);
  }
}

function read(bytes: Buffer): NotationPayload {
  const parts = bytes.toString('latin1').split('.');
  const [headerPart = '', payloadPart = ''] = parts;
  if (parts.length !== 2) throw unrecognised(NOTATION_KIND, 'they are not two parts');
  const headers = readPart(headerPart, 'the protected header');
  if (headers['alg'] !== 'ES256') throw unrecognised(NOTATION_KIND, 'the algorithm is not ES256');
  if (headers['cty'] !== PAYLOAD_TYPE)
    throw unrecognised(NOTATION_KIND, 'cty is not the one of the Notary Project');
  if (headers[SCHEME] !== 'notary.x509')
    throw unrecognised(NOTATION_KIND, 'the signing scheme is not notary.x509');
  checkCritical(headers['crit']);
  const { [SIGNING_TIME]: signingTime, [EXPIRY]: expiry } = headers;
  if (!isTime(signingTime)) throw unrecognised(NOTATION_KIND, 'there is no signing time');
  if (expiry !== undefined && !isTime(expiry)) throw unrecognised(NOTATION_KIND, 'the expiry is not a time');
  return { target: readTarget(readPart(payloadPart, 'the payload')), signingTime, expiry };
}

function checkCritical(critical: unknown): void {
  const isKnown =
    Array.isArray(critical) &&
    critical.includes(SCHEME) &&
    critical.every((name) => KNOWN_CRITICAL.has(name));
  if (!isKnown) throw unrecognised(NOTATION_KIND, 'crit names a header that this release does not know');
}

function readTarget(payload: Readonly<Record<string, unknown>>): NotationTarget {
  const target = payload['targetArtifact'];
  if (!isJsonObject(target) || Object.keys(payload).length !== 1)
    throw unrecognised(NOTATION_KIND, 'the payload is not exactly a targetArtifact');
  const { mediaType, digest, size } = target;
  if (typeof mediaType !== 'string' || mediaType === '')
    throw unrecognised(NOTATION_KIND, 'the target has no media type');
  if (typeof digest !== 'string' || !DIGEST.test(digest))
    throw unrecognised(NOTATION_KIND, 'the target has no digest');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw unrecognised(NOTATION_KIND, 'the target has no size');
  return { mediaType, digest, size };
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && TIME.test(value);
}

function readPart(text: string, what: string): Readonly<Record<string, unknown>> {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length === 0 || bytes.toString('base64url') !== text)
    throw unrecognised(NOTATION_KIND, `${what} is not base64url`);
  const value = parseJsonStrict(bytes, `reading the bytes as ${NOTATION_KIND}`, 'statement.unrecognised');
  if (!isJsonObject(value)) throw unrecognised(NOTATION_KIND, `${what} is not an object`);
  return value;
}

function fromBase64Url(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw malformed(`${what} is not base64url`);
  return bytes;
}

function malformed(problem: string): AgentError {
  return new AgentError('verify.format', { message: `reading a Notation signature: ${problem}` });
}
