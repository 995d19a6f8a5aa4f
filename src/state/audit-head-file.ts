/**
 * What the agent remembers of its audit log beside the log: `audit-head.json`. A log that holds less than this was cut. It is written at
 * start, at checkpoints, at rotation and at stop, always after the lines it names are on disk.
 */
import { z } from 'zod';
import { loadStateFile, saveStateFile, type StateFormat } from './versions.js';

const AUDIT_HEAD_SCHEMA = z.strictObject({
  format: z.literal('touchstone-audit-head'),
  version: z.literal(1),
  /** Sequence and hex SHA-256 of the last line; 0 and 64 zeros before the first. */
  seq: z.int().min(0),
  head: z.string().regex(/^[0-9a-f]{64}$/),
  /** File that holds that line, and its length up to and including the line feed. */
  file: z.string(),
  bytes: z.int().min(0),
  /** Keeper instance and last order recorded up to that line; empty and 0 before any. */
  instance: z.string(),
  order: z.int().min(0),
  /** Sequence up to which a checkpoint seals the log. */
  sealed: z.int().min(0),
});

export type AuditHead = Readonly<z.infer<typeof AUDIT_HEAD_SCHEMA>>;

const AUDIT_HEAD_FORMAT: StateFormat<typeof AUDIT_HEAD_SCHEMA> = {
  format: 'touchstone-audit-head',
  version: 1,
  schema: AUDIT_HEAD_SCHEMA,
  maxBytes: 64 * 1024,
  migrations: [],
};

/** @throws AgentError `state.damaged`, `state.version` */
export function readAuditHead(path: string): AuditHead | undefined {
  return loadStateFile(path, AUDIT_HEAD_FORMAT);
}

/** @throws AgentError `state.write` */
export function writeAuditHead(path: string, head: Omit<AuditHead, 'format' | 'version'>): void {
  saveStateFile(path, { format: 'touchstone-audit-head', version: 1, ...head });
}
