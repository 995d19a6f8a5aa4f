/** `touchstone agent status`. */
import type { Result } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult } from '../command.js';
import type { CliContext } from '../context.js';
import { counted, renderFields, renderTable } from '../table.js';

type Status = Result<'status'>;

/** Asks the agent and shows it at a glance. */
export async function agentStatus(context: CliContext): Promise<CommandResult> {
  const status = await withAgent(context, (client) => client.call('status', {}));
  return { json: status, text: renderStatus(status) };
}

/** The status in words. */
function renderStatus(status: Status): string {
  const parts = [
    renderFields([
      ['agent', `${status.agent}, pid ${status.pid}, front ${status.frontPid}`],
      ['socket', status.socket],
      ['started', status.startedAt],
      ['domain', status.domain ?? 'none yet; run "touchstone token setup"'],
      ['keys', `${status.keys.active} active, ${status.keys.loaded} loaded, ${status.keys.total} in all`],
      ['signed', `${status.orders.count} since start`],
      ['audit', auditWords(status.audit)],
      ['policy', policyWords(status.policy)],
    ]),
  ];
  if (status.tokens.length > 0) parts.push(tokenTable(status.tokens));
  if (status.leases.length > 0) parts.push(leaseTable(status.leases));
  return parts.join('\n\n');
}

/** Columns also used by `token list`. */
export function tokenTable(tokens: Status['tokens']): string {
  return renderTable(
    ['token', 'state', 'label', 'serial', 'tries', 'remark'],
    tokens.map((token) => [
      token.name,
      token.state,
      token.label ?? '-',
      token.serial ?? '-',
      triesWords(token) ?? '-',
      token.alert?.message ?? token.reason?.message ?? '',
    ]),
  );
}

/** Tries of the PIN: counted where the token tells them, else in its words. */
export function triesWords({ tries, triesLeft }: Status['tokens'][number]): string | undefined {
  return tries === undefined ? triesLeft : `${tries.left} of ${tries.total}`;
}

function leaseTable(leases: Status['leases']): string {
  return renderTable(
    ['lease', 'token', 'keys', 'kinds', 'uses left', 'until'],
    leases.map((lease) => [
      lease.id,
      lease.token,
      String(lease.keys.length),
      lease.kinds.join(' ') + (lease.blind ? ' (blind)' : ''),
      lease.usesLeft === null ? 'no limit' : String(lease.usesLeft),
      lease.expiresAt,
    ]),
  );
}

function auditWords(audit: Status['audit']): string {
  const sealed = `${counted(audit.sequence, 'line')}, ${audit.unsealed} not sealed yet`;
  return audit.writable ? sealed : `${sealed}; CANNOT BE WRITTEN, nothing is signed`;
}

function policyWords(policy: Status['policy']): string {
  const rules = `${counted(policy.rules, 'rule')} from ${policy.file}`;
  return policy.problem === null ? rules : `${rules}; the file now is not valid: ${policy.problem.message}`;
}
