/** `touchstone audit show`. */
import { LIMITS } from '../../protocol/limits.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';

const DEFAULT_RECORDS = 50;
const OUTCOMES = ['signed', 'refused'] as const;

type AuditFields = Readonly<Record<string, unknown>>;

/** Asks the agent for records; `audit verify` says whether they hold. */
export async function auditShow(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const after = options.integer('after', { min: 0, max: Number.MAX_SAFE_INTEGER });
  const key = options.text('key');
  const outcome = options.choice('outcome', OUTCOMES);
  const query = {
    limit: options.integer('limit', { min: 1, max: LIMITS.auditRecords }) ?? DEFAULT_RECORDS,
    ...(after === undefined ? {} : { after }),
    ...(key === undefined ? {} : { key }),
    ...(outcome === undefined ? {} : { outcome }),
  };
  const result = await withAgent(context, (client) => client.call('audit.query', query));
  const lines = result.records.map(renderRecord);
  return { json: result, text: lines.length === 0 ? 'no records' : lines.join('\n') };
}

/** One record on one line. */
export function renderRecord(record: AuditFields): string {
  const head = `${text(record['seq'])}  ${text(record['time'])}  ${text(record['type'])}`;
  return `${head}  ${factsOf(record)}`.trimEnd();
}

function factsOf(record: AuditFields): string {
  switch (record['type']) {
    case 'sign': {
      const summary = Array.isArray(record['summary']) ? record['summary'].map(text).join(' | ') : '';
      const changes = documentChanges(record['document']);
      return `${peer(record)} ${text(record['key'])} ${text(record['kind'])} rule ${text(record['rule'])}: ${summary}${changes}`;
    }
    case 'refuse':
      return `${peer(record)} ${text(record['key'])} ${text(record['kind'])} ${text(record['code'])}: ${text(record['message'])}`;
    case 'act':
      return `${text(record['act'])} ${peer(record)} ${JSON.stringify(record['facts'] ?? {})}`;
    case 'start':
      return `${text(record['agent'])}, keeper ${text(record['instance'])}`;
    case 'checkpoint':
      return `seals everything before it`;
    case 'continue':
      return `continues ${text(record['file'])}`;
    case 'unreleased':
      return `order ${text(record['order'])} was signed but never released`;
    default:
      return '';
  }
}

/** What repository metadata changes, as far as the record names it. */
function documentChanges(document: unknown): string {
  if (typeof document !== 'object' || document === null) return '';
  const { version, notStored, changed, changes } = document as AuditFields;
  const named = Array.isArray(changes) ? changes.map(text) : [];
  const more =
    typeof changed === 'number' && changed > named.length ? [`${changed - named.length} more`] : [];
  const replaced =
    notStored === undefined ? [] : [`instead of sha256:${text(notStored)}, which was not stored`];
  const parts = [...replaced, ...named, ...more];
  return parts.length === 0 ? '' : ` | version ${text(version)}: ${parts.join(', ')}`;
}

function peer(record: AuditFields): string {
  const who = record['peer'] as AuditFields | undefined;
  return who === undefined ? 'agent' : `uid ${text(who['uid'])}`;
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '-';
}
