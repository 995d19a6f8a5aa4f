/** A new repository: its leaves, the certificate of its root key, and first versions of everything. */
import { AgentError } from '../errors/agent-error.js';
import { formatKeyName, parseKeyName } from '../keys/key-name.js';
import { Draft } from './draft.js';
import { OnlineKeys } from './online-keys.js';
import type { Plan } from './publisher.js';
import type { RootCertificates } from './root-certificate-order.js';
import { firstRoot } from './root-changes.js';
import type { RoleKey, RoleSigner } from './role-signer.js';
import type { TrustServer } from './server.js';

export interface InitOptions {
  /** Names of the root keys; `REPOSITORY#root` when empty. */
  readonly rootKeys: readonly string[];
  readonly threshold: number;
  /** Who keeps the snapshot key. */
  readonly snapshot: 'server' | 'client';
  /** Of the root certificates. */
  readonly certificateDays: number;
}

export interface InitParts {
  readonly server: TrustServer;
  readonly signer: RoleSigner;
  readonly certificates: RootCertificates;
}

/** Publishes the first root and empty targets. The plan @throws AgentError `notary.exists`, `key.unknown` */
export function initPlan(parts: InitParts, options: InitOptions): Plan {
  const { server, signer, certificates } = parts;
  const { repository } = server;
  return async ({ base, keys }) => {
    if (base !== undefined) {
      throw new AgentError('notary.exists', { message: `${repository} has trust data already` });
    }
    const roots = requireRootKeys(repository, keys, options.rootKeys);
    const certified = [];
    for (const root of roots) {
      certified.push(await certificates.certified(repository, root, options.certificateDays));
    }
    const online = new OnlineKeys({ server, signer }, { snapshot: options.snapshot, rotate: [] });
    const draft = new Draft(undefined);
    draft.setRoot(
      firstRoot({
        root: { keys: certified, threshold: options.threshold },
        targets: { keys: [(await online.of('targets')).key], threshold: 1 },
        snapshot: { keys: [(await online.of('snapshot')).key], threshold: 1 },
        timestamp: { keys: [(await online.of('timestamp')).key], threshold: 1 },
      }),
    );
    draft.edit('targets', (document) => document);
    return draft;
  };
}

/**
 * The root keys of these names, or the one that every repository has.
 * @throws AgentError `key.unknown` naming the key, `usage.invalid` for a key of another repository or role
 */
export function requireRootKeys(
  repository: string,
  keys: readonly RoleKey[],
  names: readonly string[],
): readonly RoleKey[] {
  const written = names.length === 0 ? [formatKeyName({ repository, role: 'root' })] : names;
  const wanted = new Set(written.map((name) => formatKeyName(parseKeyName(name))));
  return [...wanted].map((name) => {
    const found = keys.find((one) => one.name === name && one.role === 'root');
    if (found !== undefined) return found;
    throw new AgentError('key.unknown', {
      message: `there is no root key ${name}`,
      hint: `make another one with "touchstone key create '${formatKeyName({ repository, role: 'root', index: 1 })}' --token NAME"`,
      details: { key: name },
    });
  });
}
