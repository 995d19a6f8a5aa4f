/** Whether the gateway can do what it is there for: the agent answers, and is not locked for keys of servers. */
import { Code, ConnectError } from '@connectrpc/connect';
import { compileGlobs } from '../../encoding/glob.js';
import type { Result } from '../../protocol/methods.js';
import type { AgentLine } from './agent-line.js';
import type { ServerKeys } from './server-keys.js';

const SERVICES: readonly string[] = [
  '',
  'grpc.health.v1.Health.KeyManagement',
  'grpc.health.v1.Health.Signer',
];
const KINDS = ['notary.timestamp', 'notary.snapshot'];

/**
 * Keys can be made and used: a lease covers one of the server's keys, or, before there are any, the kinds that they will sign.
 * @throws ConnectError NotFound for another service
 */
export async function isServing(
  service: string,
  parts: { readonly line: AgentLine; readonly keys: ServerKeys },
  timeoutMs: number,
): Promise<boolean> {
  if (!SERVICES.includes(service)) throw new ConnectError('no such service', Code.NotFound);
  try {
    const active = (await parts.keys.list(timeoutMs)).filter(({ state }) => state === 'active');
    if (active.length > 0) return active.some(({ loaded }) => loaded);
    const { leases } = await parts.line.call('status', {}, timeoutMs);
    return leases.some(coversServerKeys);
  } catch {
    return false;
  }
}

/** A lease without kinds covers all of them. */
function coversServerKeys({ kinds }: Result<'status'>['leases'][number]): boolean {
  const covers = compileGlobs(kinds);
  return kinds.length === 0 || KINDS.some(covers);
}
