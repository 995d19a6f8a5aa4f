/** `touchstone key list`. */
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';

/** All keys that can sign; with --all also what was retired or revoked. */
export async function keyList(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const all = invocation.options.flag('all');
  const result = await withAgent(context, (client) => client.call('keys.list', all ? { all } : {}));
  const rows = result.keys.map((key) => [
    key.name,
    key.usage,
    key.algorithm,
    key.state,
    key.loaded ? 'loaded' : '-',
    key.keyId?.slice(0, 16) ?? '-',
  ]);
  const table = renderTable(['key', 'usage', 'algorithm', 'state', 'loaded', 'id'], rows);
  return { json: result, text: rows.length === 0 ? 'there is no key yet' : table };
}
