/** What the agent keeps: policy, keyring, audit log, and whether the clock fits to them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { verifyAuditLog } from '../../audit/verify.js';
import { asAgentError } from '../../errors/agent-error.js';
import { isAgentRole } from '../../keys/roles.js';
import type { Keyring } from '../../keys/keyring.js';
import type { AgentPaths } from '../../platform/paths.js';
import { parsePolicy } from '../../policy/document.js';
import { warningsOf } from '../../policy/warnings.js';
import { auditFileNames, auditFiles, rememberedHead } from '../audit-files.js';
import type { CliContext } from '../context.js';
import { readTextFile } from '../input-file.js';
import { loadKeyring } from '../verification-keys.js';
import { counted } from '../table.js';
import { fail, ok, warn, type Check } from './check.js';

/** Policy, keyring, audit log and clock. */
export async function checkRecords(context: CliContext, places: AgentPaths): Promise<readonly Check[]> {
  const checks = existsSync(places.policyFile) ? [checkPolicy(places.policyFile)] : [];
  if (!existsSync(join(places.stateDir, 'keyring.json'))) {
    return [...checks, warn('keyring', 'there is none yet', 'run "touchstone token setup"')];
  }
  const keyring = await attempt('keyring', () => loadKeyring(context));
  if ('outcome' in keyring) return [...checks, keyring];
  const leaves = keyring.value.leaves();
  return [
    ...checks,
    ok('keyring', `${counted(leaves.length, 'derived key')}, domain ${keyring.value.domain}`),
    checkClock(keyring.value, Date.now()),
    await checkAudit(places, keyring.value),
  ];
}

function checkPolicy(file: string): Check {
  try {
    const policy = parsePolicy(readTextFile(file), file);
    const warnings = warningsOf(policy, Date.now());
    if (warnings.length === 0) return ok('policy', counted(policy.rules.length, 'rule'));
    return warn('policy', counted(warnings.length, 'doubtful rule'), 'see "touchstone policy check"');
  } catch (thrown) {
    const error = asAgentError(thrown);
    return fail('policy', error.message, error.hint);
  }
}

/** A clock behind the keyring's own records gives leases and audit records a wrong time. */
export function checkClock(keyring: Pick<Keyring, 'leaves'>, nowMs: number): Check {
  const newest = Math.max(...keyring.leaves().map((leaf) => Date.parse(leaf.createdAt)));
  const now = new Date(nowMs).toISOString();
  if (nowMs >= newest) return ok('clock', now);
  return fail('clock', `${now} is before the newest key was made`, 'set the clock; use a time service');
}

async function checkAudit(places: AgentPaths, keyring: Keyring): Promise<Check> {
  const report = await attempt('audit log', async () => {
    const remembered = rememberedHead(join(places.stateDir, 'audit-head.json'));
    const keys = keyring.leaves().filter((leaf) => isAgentRole(leaf.role));
    const names = auditFileNames(places.auditDir);
    return verifyAuditLog(auditFiles(places.auditDir, names), { keys, remembered });
  });
  if ('outcome' in report) return report;
  const { lines, unsealed, problems, problemCount } = report.value;
  if (report.value.ok) return ok('audit log', `${counted(lines, 'line')}, ${unsealed} not sealed yet`);
  const [first] = problems;
  const where = first === undefined ? '' : `, first ${first.file}:${first.line}: ${first.what}`;
  return fail('audit log', `${counted(problemCount, 'problem')}${where}`, 'see "touchstone audit verify"');
}

async function attempt<T>(name: string, read: () => Promise<T>): Promise<{ readonly value: T } | Check> {
  try {
    return { value: await read() };
  } catch (thrown) {
    const error = asAgentError(thrown);
    return fail(name, error.message, error.hint);
  }
}
