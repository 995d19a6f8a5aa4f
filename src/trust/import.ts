/**
 * Taking over a repository whose keys are files: one root that the old root key signs together with the one on the token, and leaves in the
 * place of all other keys of these files. Readers follow as they do for any rotation. The old root key goes nowhere: whatever was in a
 * file has copies, and a token would only look as if it had not.
 */
import { AgentError } from '../errors/agent-error.js';
import { canonicalKeyId } from '../formats/notary1/key.js';
import { formatKeyName } from '../keys/key-name.js';
import { memberIds, withMembers, withoutMembers } from './delegation-changes.js';
import { Draft } from './draft.js';
import { requireRootKeys, type InitParts } from './init.js';
import type { KeyFile, OpenKeyFile } from './key-files.js';
import type { Plan } from './publisher.js';
import type { PublishedVersion, RoleKey, RoleSigner, SigningOrder } from './role-signer.js';
import { withRole } from './root-changes.js';

export interface ImportOptions {
  /** Names of the root keys from now on; `REPOSITORY#root` when empty. */
  readonly rootKeys: readonly string[];
  readonly certificateDays: number;
  readonly files: readonly KeyFile[];
}

/** Root keys of the repository that are among the files. */
export function rootFiles(root: Draft['root'], files: readonly KeyFile[]): readonly KeyFile[] {
  const ids = new Set(
    root.roles.root.keyids.flatMap((id) => {
      const key = root.keys.get(id);
      return key === undefined ? [] : [canonicalKeyId(key)];
    }),
  );
  return files.filter(({ canonicalId }) => ids.has(canonicalId));
}

/** The plan @throws AgentError `notary.missing`, `notary.keys` when the root key is not among the files */
export function importPlan({ server, signer, certificates }: InitParts, options: ImportOptions): Plan {
  const { repository } = server;
  const leaf = (role: string): Promise<RoleKey> => signer.derive(formatKeyName({ repository, role }));
  return async ({ base, keys }) => {
    if (base === undefined) throw new AgentError('notary.missing');
    const draft = new Draft(base);
    const held = new Set(options.files.map(({ canonicalId }) => canonicalId));
    const certified = [];
    for (const key of requireRootKeys(repository, keys, options.rootKeys)) {
      certified.push(await certificates.certified(repository, key, options.certificateDays));
    }
    let root = withRole(draft.root, 'root', { keys: certified, threshold: 1 });
    root = withRole(root, 'targets', { keys: [(await leaf('targets')).key], threshold: 1 });
    const snapshots = draft.membersOf('snapshot');
    const isClients = snapshots.keyids.some((id) => {
      const key = snapshots.keys.get(id);
      return key !== undefined && held.has(canonicalKeyId(key));
    });
    if (isClients) root = withRole(root, 'snapshot', { keys: [(await leaf('snapshot')).key], threshold: 1 });
    draft.setRoot(root);
    for (const { name } of draft.targetsOf('targets')?.delegations.roles ?? []) {
      const isOurs = memberIds(base.targets.document, name).some((id) => held.has(id));
      if (isOurs) await replaceMembers(draft, name, held, leaf);
    }
    draft.edit('targets', (document) => document);
    return draft;
  };
}

async function replaceMembers(
  draft: Draft,
  role: string,
  held: ReadonlySet<string>,
  leaf: (role: string) => Promise<RoleKey>,
): Promise<void> {
  const { key } = await leaf(role);
  draft.edit('targets', (document) => withMembers(withoutMembers(document, role, held), role, [key]));
  if (draft.targetsOf(role) !== undefined) draft.edit(role, (document) => document);
}

/** The agent, and beside it the old root keys, which sign one root and nothing else. */
export class ImportSigner implements RoleSigner {
  readonly #agent: RoleSigner;
  readonly #files = new Map<string, OpenKeyFile>();

  constructor(agent: RoleSigner) {
    this.#agent = agent;
  }

  /** From now on the key signs roots. */
  add(file: OpenKeyFile): void {
    this.#files.set(fileName(file), file);
  }

  async keysOf(repository: string): Promise<readonly RoleKey[]> {
    const old = [...this.#files].map(([name, { key, canonicalId }]) => ({
      name,
      role: 'root',
      key,
      canonicalId,
    }));
    return [...(await this.#agent.keysOf(repository)), ...old];
  }

  derive(name: string): Promise<RoleKey> {
    return this.#agent.derive(name);
  }

  rotate(name: string): Promise<RoleKey> {
    return this.#agent.rotate(name);
  }

  retired(name: string): Promise<readonly string[]> {
    return this.#agent.retired(name);
  }

  /** The agent first: what it refuses, the old key does not sign either. */
  async sign(orders: readonly SigningOrder[]): Promise<readonly Buffer[]> {
    const byAgent = orders.filter(({ key }) => !this.#files.has(key));
    const signatures = new Map(byAgent.map((order, index) => [order, index]));
    const made = await this.#agent.sign(byAgent);
    return orders.map((order) => {
      const file = this.#files.get(order.key);
      if (file === undefined) return made[signatures.get(order) ?? -1] ?? Buffer.alloc(0);
      if (order.kind !== 'notary.root') throw new AgentError('key.usage');
      return file.sign(order.payload);
    });
  }

  versionsSigned(repository: string): Promise<ReadonlyMap<string, number>> {
    return this.#agent.versionsSigned(repository);
  }

  abandon(repository: string, version: PublishedVersion): Promise<void> {
    return this.#agent.abandon(repository, version);
  }

  notePublished(repository: string, versions: readonly PublishedVersion[]): Promise<void> {
    return this.#agent.notePublished(repository, versions);
  }
}

function fileName({ canonicalId }: OpenKeyFile): string {
  return `file#${canonicalId}`;
}
