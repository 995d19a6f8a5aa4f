/**
 * `usage.json`: how often each limited rule was used, with the audit sequence it was saved at. What was signed after that is
 * counted again from the log, so a crash forgets no use.
 */
import { z } from 'zod';
import { usageFromJson, usageToJson } from '../policy/usage-document.js';
import { emptyUsage, recordUses, type UsageState } from '../policy/usage.js';
import type { AuditLog } from './audit-log.js';
import { loadStateFile, saveStateFile, type StateFormat } from './versions.js';

const PAGE_RECORDS = 5000;

const USAGE_SCHEMA = z.strictObject({
  format: z.literal('touchstone-usage-file'),
  version: z.literal(1),
  /** Sequence of the last audit line whose use is counted. */
  auditSeq: z.int().min(0),
  usage: z.unknown(),
});

const USAGE_FILE_FORMAT: StateFormat<typeof USAGE_SCHEMA> = {
  format: 'touchstone-usage-file',
  version: 1,
  schema: USAGE_SCHEMA,
  maxBytes: 16 * 1024 * 1024,
  migrations: [],
};

/**
 * Counters as they stand after the last line of the log.
 * @param isLimited whether uses of a rule are counted
 * @throws AgentError `state.damaged`, `state.version`, `audit.broken`
 */
export async function loadUsage(
  path: string,
  log: Pick<AuditLog, 'query'>,
  isLimited: (rule: string) => boolean,
): Promise<UsageState> {
  const stored = loadStateFile(path, USAGE_FILE_FORMAT);
  let state = stored === undefined ? emptyUsage() : usageFromJson(stored.usage);
  for (let after = stored?.auditSeq ?? 0; ;) {
    const page = await log.query({ after, limit: PAGE_RECORDS, outcome: 'signed' });
    for (const line of page.records) {
      if (line.type !== 'sign' || !isLimited(line.rule)) continue;
      state = recordUses(state, [{ rule: line.rule, uses: 1 }], Date.parse(line.time));
    }
    if (page.records.length < PAGE_RECORDS) return state;
    after = page.last;
  }
}

/** Saves counters that hold every use up to the audit line `auditSeq`. @throws AgentError `state.write` */
export function saveUsage(path: string, state: UsageState, auditSeq: number): void {
  const usage = usageToJson(state);
  saveStateFile(path, { format: 'touchstone-usage-file', version: 1, auditSeq, usage });
}
