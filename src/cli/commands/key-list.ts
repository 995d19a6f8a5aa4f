/** `touchstone key list`. */
import { listKeys } from '../../client/key-list.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';

/** All keys that can sign, or those of one repository or role; with --all also what was retired or revoked. */
export async function keyList(context: CliContext, { options }: Invocation): Promise<CommandResult> {
  const [repository, role] = [options.text('repository'), options.text('role')];
  const wanted = {
    all: options.flag('all'),
    ...(repository === undefined ? {} : { repository }),
    ...(role === undefined ? {} : { role }),
  };
  const result = await withAgent(context, (client) =>
    listKeys((page) => client.call('keys.list', page), wanted),
  );
  const isCertified = result.keys.some(({ certificate }) => certificate !== undefined);
  const rows = result.keys.map((key) => [
    key.name,
    key.usage,
    key.algorithm,
    key.state,
    key.loaded ? 'loaded' : '-',
    ...(isCertified ? [key.certificate?.state ?? '-'] : []),
    key.keyId?.slice(0, 16) ?? '-',
  ]);
  const header = [
    'key',
    'usage',
    'algorithm',
    'state',
    'loaded',
    ...(isCertified ? ['certificate'] : []),
    'id',
  ];
  const table = renderTable(header, rows);
  const isAll = repository === undefined && role === undefined;
  return {
    json: result,
    text: rows.length > 0 ? table : isAll ? 'there is no key yet' : 'there is no such key',
  };
}
