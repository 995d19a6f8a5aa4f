/** The agent as the one who signs metadata: derived leaves, and root keys on tokens. */
import type { AgentClient } from '../client/client.js';
import { listGuard } from '../client/guard-list.js';
import { listKeys } from '../client/key-list.js';
import { signStatements } from '../client/signer.js';
import { AgentError } from '../errors/agent-error.js';
import { canonicalKeyId, notaryKeyFromSpki } from '../formats/notary1/key.js';
import { formatKeyName, parseKeyName } from '../keys/key-name.js';
import type { KeyInfo } from '../protocol/methods.js';
import type { PublishedVersion, RoleKey, RoleSigner, SigningOrder } from './role-signer.js';

const ROOT = 'root';

export class AgentSigner implements RoleSigner {
  readonly #client: AgentClient;
  readonly #timeoutMs: number;

  /** @param timeoutMs of each request, milliseconds */
  constructor(client: AgentClient, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  async keysOf(repository: string): Promise<readonly RoleKey[]> {
    const root = withIndex(formatKeyName({ repository, role: ROOT }));
    const [{ keys }, onToken] = await Promise.all([
      this.#keys({ repository }),
      this.#client.call('keys.show', { key: root }).then(({ key }) => [key], noneIfUnknown),
    ]);
    const own = keys.filter(({ name, state }) => state === 'active' && name.startsWith(`${repository}#`));
    const others = onToken.filter(({ keyId }) => !own.some((one) => one.keyId === keyId));
    return [...own, ...others].flatMap((key) => {
      const made = toRoleKey(key);
      return made === undefined ? [] : [made];
    });
  }

  async derive(name: string): Promise<RoleKey> {
    const { key } = await this.#client.call('keys.derive', { key: name }, { timeoutMs: this.#timeoutMs });
    return requireRoleKey(key);
  }

  async rotate(name: string): Promise<RoleKey> {
    const { key } = await this.#client.call('keys.rotate', { key: name }, { timeoutMs: this.#timeoutMs });
    return requireRoleKey(key);
  }

  async retired(name: string): Promise<readonly string[]> {
    const { repository } = parseKeyName(name);
    const { keys } = await this.#keys({ all: true, repository });
    const earlier = keys.filter((key) => key.state !== 'active' && key.name.startsWith(`${name}@`));
    return earlier.flatMap((key) => toRoleKey(key)?.canonicalId ?? []);
  }

  #keys(wanted: { readonly all?: true; readonly repository: string }): ReturnType<typeof listKeys> {
    return listKeys((page) => this.#client.call('keys.list', page), wanted);
  }

  async sign(orders: readonly SigningOrder[]): Promise<readonly Buffer[]> {
    if (orders.length === 0) return [];
    const statements = orders.map((order) => ({ ...order, key: withIndex(order.key) }));
    const signed = await signStatements(this.#client, statements, this.#timeoutMs);
    return signed.map(({ signature }) => signature);
  }

  async versionsSigned(repository: string): Promise<ReadonlyMap<string, number>> {
    const entries = await listGuard((page) => this.#client.call('guard.show', page), { repository });
    return new Map(
      entries.map(({ role, signed, published }) => [
        role,
        Math.max(signed?.version ?? 0, published?.version ?? 0),
      ]),
    );
  }

  async abandon(repository: string, version: PublishedVersion): Promise<void> {
    try {
      await this.#client.call('guard.abandon', { repository, ...version });
    } catch (cause) {
      // Never signed, or given up already.
      if (!(cause instanceof AgentError) || cause.code !== 'guard.version') throw cause;
    }
  }

  async notePublished(repository: string, versions: readonly PublishedVersion[]): Promise<void> {
    await Promise.all(versions.map((one) => this.#client.call('guard.published', { repository, ...one })));
  }
}

/** `REPOSITORY#root` means another key as soon as one was made for the repository; with its index it never does. */
function withIndex(name: string): string {
  const { role, index } = parseKeyName(name);
  return role === ROOT && index === undefined ? `${name}:0` : name;
}

function noneIfUnknown(cause: unknown): readonly KeyInfo[] {
  if (cause instanceof AgentError && cause.code === 'key.unknown') return [];
  throw cause;
}

function requireRoleKey(info: KeyInfo): RoleKey {
  const made = toRoleKey(info);
  if (made !== undefined) return made;
  throw new AgentError('key.usage', {
    message: `${info.name}: metadata is not signed with keys of algorithm ${info.algorithm}`,
  });
}

/** Readers take RSA from others; nothing of ours signs with it. */
function toRoleKey({ name, publicKey, algorithm, loaded }: KeyInfo): RoleKey | undefined {
  if (publicKey === undefined || algorithm.startsWith('rsa')) return undefined;
  const key = notaryKeyFromSpki(Buffer.from(publicKey, 'base64'));
  return { name, role: parseKeyName(name).role, key, canonicalId: canonicalKeyId(key), isLocked: !loaded };
}
