/** `touchstone trust online-keys REPOSITORY…`: the keys beside those of the root, for a ceremony that makes roots of several people. */
import { resolve } from 'node:path';
import type { RoleKeyOrder } from '../../ceremony/action.js';
import { writeOnlineKeys } from '../../ceremony/online-keys.js';
import { AgentError } from '../../errors/agent-error.js';
import { canonicalKeyId, notarySpki } from '../../formats/notary1/key.js';
import { OnlineKeys, type OnlineRole } from '../../trust/online-keys.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { ServerRole } from '../../trust/server.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { writeOutput } from '../output-file.js';
import { renderTable } from '../table.js';
import { withPublisher } from '../trust-publishing.js';

const ROLES = ['targets', 'snapshot', 'timestamp'] as const;
const FILE = 'online-keys.json';

/** A key with where it comes from. */
interface FoundKey {
  readonly repository: string;
  readonly role: OnlineRole;
  /** Canonical id. */
  readonly id: string;
  /** Name of the leaf, or `server`. */
  readonly keeper: string;
  readonly order: RoleKeyOrder;
}

/** Asks agent and server, and writes the file that `ceremony new --online-keys` reads. @throws AgentError `usage.invalid`, `notary.…` */
export async function trustOnlineKeys(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const names = new Set(args.map((name) => parseTrustReference(name).repository));
  const found: FoundKey[] = [];
  for (const repository of names) found.push(...(await keysOf(context, options, repository)));
  const output = resolve(options.text('output') ?? FILE);
  writeOutput(context, output, writeOnlineKeys(found.map(({ order }) => order)));
  const rows = found.map(({ repository, role, keeper, id }) => [repository, role, keeper, id.slice(0, 16)]);
  const keys = found.map(({ repository, role, keeper, id }) => ({ repository, role, keeper, id }));
  return {
    json: { file: output, keys },
    text: `${renderTable(['repository', 'role', 'kept by', 'key'], rows)}\nwritten: ${output}`,
  };
}

function keysOf(
  context: CliContext,
  options: OptionValues,
  repository: string,
): Promise<readonly FoundKey[]> {
  const snapshot = options.flag('client-snapshot') ? 'client' : 'server';
  const rotate = options.list('rotate').map(serverRole);
  const wanted = options.list('role').map(onlineRole);
  return withPublisher(context, options, repository, {}, async ({ server, signer }) => {
    const online = new OnlineKeys({ server, signer }, { snapshot, rotate });
    const found: FoundKey[] = [];
    for (const role of wanted.length > 0 ? wanted : ROLES) {
      const { key, leaf } = await online.of(role);
      const publicKeys = [notarySpki(key).toString('base64')];
      const order = { document: `${repository}#root`, role, publicKeys, threshold: 1 };
      found.push({ repository, role, id: canonicalKeyId(key), keeper: leaf ?? 'server', order });
    }
    return found;
  });
}

function onlineRole(text: string): OnlineRole {
  const role = ROLES.find((one) => one === text);
  if (role !== undefined) return role;
  throw new AgentError('usage.invalid', { message: `option --role: one of ${ROLES.join(', ')}` });
}

function serverRole(text: string): ServerRole {
  if (text === 'timestamp' || text === 'snapshot') return text;
  throw new AgentError('usage.invalid', { message: 'option --rotate: timestamp or snapshot' });
}
