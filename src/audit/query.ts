/** Which lines of the log somebody asked for. */
import type { AuditLine } from './record.js';

export interface AuditQuery {
  /** Only lines with a higher sequence, oldest of them first; without it the newest lines of the log. */
  readonly after?: number | undefined;
  /** At most this many. */
  readonly limit: number;
  /** Name of the key as it stands in the log. */
  readonly key?: string | undefined;
  readonly outcome?: 'signed' | 'refused' | undefined;
}

/** Whether a line is asked for; without key and outcome, every line is. */
export function matchesQuery(line: AuditLine, query: AuditQuery): boolean {
  if (query.after !== undefined && line.seq <= query.after) return false;
  if (query.outcome === 'signed' && line.type !== 'sign') return false;
  if (query.outcome === 'refused' && line.type !== 'refuse') return false;
  if (query.key === undefined) return true;
  return (line.type === 'sign' || line.type === 'refuse') && line.key === query.key;
}
