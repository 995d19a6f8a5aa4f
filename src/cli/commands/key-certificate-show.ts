/** `touchstone key certificate show`. */
import type { AgentClient } from '../../client/client.js';
import type { Result } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';

type Listed = Omit<Result<'certificates.list'>, 'next'>;

/** Certificates of one key, or of all, in the order in which they follow one another. */
export async function keyCertificateShow(context: CliContext, { args }: Invocation): Promise<CommandResult> {
  const [key] = args;
  const result = await withAgent(context, (client) => listAll(client, key));
  const rows = result.certificates.map((each) => [
    `${each.repository}#${each.role}@${each.epoch}`,
    each.action,
    each.notBefore,
    each.notAfter,
    String(each.signers.length),
    each.kinds.join(' '),
    each.hash.slice(0, 16),
  ]);
  const header = ['key', 'action', 'not before', 'not after', 'roots', 'kinds', 'hash'];
  const rule = result.required ? 'required' : 'not required';
  const text = rows.length > 0 ? renderTable(header, rows) : `there is no certificate; they are ${rule}`;
  return { json: result, text };
}

async function listAll(client: AgentClient, key: string | undefined): Promise<Listed> {
  const wanted = key === undefined ? {} : { key };
  const certificates: Result<'certificates.list'>['certificates'] = [];
  let from = 0;
  for (;;) {
    const page = await client.call('certificates.list', { ...wanted, from });
    certificates.push(...page.certificates);
    if (page.next === null || page.next <= from) return { required: page.required, certificates };
    from = page.next;
  }
}
