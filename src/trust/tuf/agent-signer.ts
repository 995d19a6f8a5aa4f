/** The agent as the one who signs TUF metadata: leaves, and root keys on tokens that were made for one repository. */
import type { AgentClient } from '../../client/client.js';
import { listGuard } from '../../client/guard-list.js';
import { listKeys } from '../../client/key-list.js';
import { signStatements } from '../../client/signer.js';
import { rawFromSpki } from '../../crypto/public-key.js';
import { AgentError } from '../../errors/agent-error.js';
import { tufSignature } from '../../formats/tuf/verify.js';
import { parseKeyName } from '../../keys/key-name.js';
import type { KeyInfo } from '../../protocol/methods.js';
import { LIMITS } from '../../protocol/limits.js';
import type { GuardedRole, HeldKey, SeenVersion, TufOrder, TufSigner } from './signer.js';

/** Of the payloads of one call, bytes: base64 makes four of three, and the rest of the message needs room. */
const MAX_PAYLOAD = Math.floor((LIMITS.socketFrameBytes - 64 * 1024) * 0.75);
/** P-384 is verified wrongly by half of the clients, and a token's RSA makes signatures that some of them do not take. */
const ALGORITHMS: ReadonlySet<string> = new Set(['ecdsa-p256', 'ed25519']);

export class TufAgentSigner implements TufSigner {
  readonly #client: AgentClient;
  readonly #timeoutMs: number;

  /** @param timeoutMs of each request, milliseconds */
  constructor(client: AgentClient, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  async keysOf(repository: string): Promise<readonly HeldKey[]> {
    const { keys } = await listKeys((page) => this.#client.call('keys.list', page), { repository });
    const own = keys.filter(({ name, state }) => state === 'active' && name.startsWith(`${repository}#`));
    return own.flatMap((key) => heldKey(key) ?? []);
  }

  async derive(name: string): Promise<HeldKey> {
    const { key } = await this.#client.call('keys.derive', { key: name }, { timeoutMs: this.#timeoutMs });
    return requireHeld(key);
  }

  async show(name: string): Promise<HeldKey> {
    return requireHeld((await this.#client.call('keys.show', { key: name })).key);
  }

  /** Everything in as few calls as may be: one decision, one group of the log. The guard takes one content of a role in each. */
  async sign(orders: readonly TufOrder[]): Promise<readonly string[]> {
    const made: string[] = [];
    for (const call of callsOf(orders)) {
      const statements = call.map(({ key, kind, payload }) => ({ key: key.name, kind, payload }));
      const signed = await signStatements(this.#client, statements, this.#timeoutMs);
      signed.forEach(({ signature }, at) => {
        const { algorithm } = rawFromSpki(call[at]?.key.spki ?? Buffer.alloc(0));
        made.push(tufSignature(algorithm, signature));
      });
    }
    return made;
  }

  async guarded(repository: string): Promise<ReadonlyMap<string, GuardedRole>> {
    const entries = await listGuard((page) => this.#client.call('guard.show', page), { repository });
    return new Map(
      entries.map(({ role, published, signed }) => [
        role,
        { published: published ?? undefined, signed: signed ?? undefined },
      ]),
    );
  }

  async notePublished(repository: string, role: string, { version, sha256 }: SeenVersion): Promise<void> {
    await this.#client.call('guard.published', { repository, role, version, sha256 });
  }
}

function callsOf(orders: readonly TufOrder[]): readonly (readonly TufOrder[])[] {
  const calls: TufOrder[][] = [];
  let current: TufOrder[] = [];
  let size = 0;
  for (const order of orders) {
    const { key, payload } = order;
    if (payload.length > MAX_PAYLOAD) throw tooLarge(order);
    const isOtherContent = current.some((one) => one.key.role === key.role && one.payload !== payload);
    const isFull = size + payload.length > MAX_PAYLOAD || current.length === LIMITS.batch;
    if (current.length === 0 || isOtherContent || isFull) {
      current = [];
      size = 0;
      calls.push(current);
    }
    current.push(order);
    size += payload.length;
  }
  return calls;
}

function tooLarge({ key, payload }: TufOrder): AgentError {
  return new AgentError('limits.frame-too-large', {
    message: `signing for ${key.name}: the document has ${payload.length} bytes, at most ${MAX_PAYLOAD} are signed`,
    hint: 'spread its targets over hash bins: touchstone tuf delegate FOLDER bins --bins 8',
  });
}

function requireHeld(info: KeyInfo): HeldKey {
  const held = heldKey(info);
  if (held !== undefined) return held;
  throw new AgentError('key.usage', {
    message: `${info.name}: TUF metadata is signed with keys of ECDSA P-256 or Ed25519 that were made for one repository`,
  });
}

/** The root of the keyring serves all repositories, and a root of TUF names none: it signs none. */
function heldKey({ name, usage, publicKey, algorithm }: KeyInfo): HeldKey | undefined {
  if (usage !== 'sign' || publicKey === undefined || !ALGORITHMS.has(algorithm)) return undefined;
  return { name, role: parseKeyName(name).role, spki: Buffer.from(publicKey, 'base64') };
}
