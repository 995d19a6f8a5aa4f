/** The gRPC services of a signer, each call bounded, logged and answered with a status that says why. */
import type { ConnectRouter, HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { AgentError } from '../../errors/agent-error.js';
import { printable } from '../../encoding/utf8.js';
import { Health, HealthCheckResponse_ServingStatus as Serving } from './generated/health_pb.js';
import { KeyManagement, Signer, type KeyID } from './generated/notary_signer_pb.js';
import { isServing } from './health.js';
import { KeySupply } from './key-supply.js';
import { KeyUse } from './key-use.js';
import type { Note } from './note.js';
import { serverAlgorithm, serverRole, type ServerKey } from './server-key.js';
import { ServerKeys } from './server-keys.js';
import { Signing, type SigningParts } from './signing.js';
import { statusOf } from './status.js';

/** Longest time for one call; a server that says less gets less. Milliseconds. */
const CALL_MS = 30_000;
const SHOWN = 120;

/** Adds all services to a router. */
export function addServices(router: ConnectRouter, parts: SigningParts): void {
  const keys = new ServerKeys(parts.line);
  router.service(KeyManagement, keyManagement(parts, keys));
  router.service(Signer, signer(parts, keys));
  router.service(Health, {
    check: async (request, context) => {
      try {
        const serving = await isServing(request.service, { line: parts.line, keys }, timeOf(context));
        return { status: serving ? Serving.SERVING : Serving.NOT_SERVING };
      } catch (thrown) {
        throw statusOf(thrown);
      }
    },
  });
}

function keyManagement(
  { line, stored, note }: SigningParts,
  keys: ServerKeys,
): ServiceImpl<typeof KeyManagement> {
  const supply = new KeySupply(line, keys, new KeyUse(line, stored));
  return {
    createKey: ({ gun, role, algorithm }, context) =>
      answer(note, 'CreateKey', { gun: shown(gun), role: shown(role) }, async (facts) => {
        const wish = { gun, role: serverRole(role), algorithm: serverAlgorithm(algorithm) };
        const key = await supply.obtain(wish, timeOf(context));
        facts['key'] = key.name;
        return { keyInfo: infoOf(key), publicKey: publicBytes(key) };
      }),
    getKeyInfo: ({ ID }, context) =>
      answer(note, 'GetKeyInfo', { id: shown(ID) }, async (facts) => {
        const key = requireActive(await keys.find(ID, timeOf(context)));
        facts['key'] = key.name;
        return { keyInfo: infoOf(key), publicKey: publicBytes(key), role: key.role };
      }),
    deleteKey: ({ ID }) =>
      answer(note, 'DeleteKey', { id: shown(ID) }, () => {
        throw new AgentError('peer.owner-only', {
          hint: 'revoke it: touchstone key revoke NAME --reason TEXT',
        });
      }),
  };
}

function signer(parts: SigningParts, keys: ServerKeys): ServiceImpl<typeof Signer> {
  const signing = new Signing(parts);
  return {
    sign: (request, context) =>
      answer(parts.note, 'Sign', { id: shown(idOf(request.keyID)) }, async (facts) => {
        const timeoutMs = timeOf(context);
        const key = await keys.find(idOf(request.keyID), timeoutMs);
        facts['key'] = key.name;
        const { version, signature } = await signing.sign(key, Buffer.from(request.content), timeoutMs);
        facts['version'] = version;
        return {
          keyInfo: infoOf(key),
          algorithm: { algorithm: METHODS[key.algorithm] },
          content: Uint8Array.from(signature),
        };
      }),
  };
}

/** `method` of signatures in documents. */
const METHODS = { ecdsa: 'ecdsa', ed25519: 'eddsa' } as const;

type Facts = Record<string, string | number | boolean>;

async function answer<T>(
  note: Note,
  rpc: string,
  asked: Facts,
  work: (facts: Facts) => T | Promise<T>,
): Promise<T> {
  const facts = { ...asked };
  const begin = Date.now();
  try {
    const result = await work(facts);
    note(rpc, { ...facts, ms: Date.now() - begin });
    return result;
  } catch (thrown) {
    const status = statusOf(thrown);
    const reason = thrown instanceof AgentError ? thrown.code : 'internal.unexpected';
    note(`${rpc} refused`, { ...facts, ms: Date.now() - begin, code: reason, reason: status.rawMessage });
    throw status;
  }
}

function infoOf(key: ServerKey): { keyID: { ID: string }; algorithm: { algorithm: string } } {
  return { keyID: { ID: key.id }, algorithm: { algorithm: key.algorithm } };
}

/** DER SubjectPublicKeyInfo, or 32 raw bytes for Ed25519. */
function publicBytes(key: ServerKey): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(key.key.public, 'base64'));
}

function idOf(id: KeyID | undefined): string {
  return id?.ID ?? '';
}

/** Milliseconds that the caller waits, at most ours. */
function timeOf(context: HandlerContext): number {
  return Math.max(1, Math.min(context.timeoutMs() ?? CALL_MS, CALL_MS));
}

/** @throws AgentError `key.retired`, `key.revoked` */
function requireActive(key: ServerKey): ServerKey {
  if (key.state === 'active') return key;
  const code = key.state === 'revoked' ? 'key.revoked' : 'key.retired';
  throw new AgentError(code, {
    message: `${key.name} is ${key.state}`,
    hint: `rotate it at the server: notary key rotate ${key.repository} ${key.role} -r`,
  });
}

function shown(text: string): string {
  return printable(text, SHOWN);
}
