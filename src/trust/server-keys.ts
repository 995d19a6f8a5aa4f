/** Whether the keys that a root gives to timestamp and snapshot are keys of the server: if not, it could never sign them. */
import { AgentError } from '../errors/agent-error.js';
import { canonicalKeyId } from '../formats/notary1/key.js';
import { readEnvelope } from '../formats/notary1/reader.js';
import { Draft } from './draft.js';
import { isWithinReach } from './reach.js';
import type { RoleKey } from './role-signer.js';
import type { ServerRole, TrustServer } from './server.js';

export type KeyServer = Pick<TrustServer, 'repository' | 'fetch' | 'serverKey' | 'rotateServerKey'>;

/** Older roots than that are not looked at. */
const MAX_ROOTS = 64;

/** @throws AgentError `ceremony.import` naming the role, `notary.…` of the server */
export async function requireServerKeys(
  server: KeyServer,
  draft: Draft,
  keys: readonly RoleKey[],
): Promise<void> {
  for (const role of ['timestamp', 'snapshot'] as const) {
    if (role === 'snapshot' && isWithinReach(draft, role, keys)) continue;
    if (await isOfServer(server, draft, role)) continue;
    const { repository } = server;
    const whose = role === 'timestamp' ? 'the server does not have' : 'neither the server nor this agent has';
    throw new AgentError('ceremony.import', {
      message: `publishing a root: it gives the ${role} of ${repository} to a key that ${whose}`,
      hint: `prepare the ceremony again with --online-keys and what "touchstone trust online-keys ${repository}" writes`,
      details: { role },
    });
  }
}

async function isOfServer(server: KeyServer, draft: Draft, role: ServerRole): Promise<boolean> {
  const { base } = draft;
  const named = draft.canonicalIdsOf(role);
  const before = base === undefined ? [] : new Draft(base).canonicalIdsOf(role);
  const isKept = base !== undefined && named.every((id) => before.includes(id));
  if (isKept && role === 'timestamp') return true;
  const ask = async (): Promise<string> =>
    canonicalKeyId(
      base === undefined || isKept ? await server.serverKey(role) : await server.rotateServerKey(role),
    );
  const first = await ask();
  if (named.includes(first)) return true;
  const second = await ask();
  if (named.includes(second)) return true;
  // One that forgets what it offered makes a new key for every question: only the publish itself can tell.
  return first !== second || (!isKept && (await wasNamed(server, draft, role)));
}

/** Whether an earlier root gave the role to these keys, as one does whose content comes back. */
async function wasNamed(server: KeyServer, draft: Draft, role: ServerRole): Promise<boolean> {
  const named = draft.canonicalIdsOf(role);
  const newest = draft.base?.root.document.version ?? 0;
  for (let version = newest - 1; version >= Math.max(1, newest - MAX_ROOTS); version -= 1) {
    const file = await server.fetch('root', { version });
    if (file === undefined) continue;
    const { keys, roles } = readEnvelope(file, 'root').document;
    const ids = roles[role].keyids.flatMap((id) => {
      const key = keys.get(id);
      return key === undefined ? [] : [canonicalKeyId(key)];
    });
    if (named.every((id) => ids.includes(id))) return true;
  }
  return false;
}
