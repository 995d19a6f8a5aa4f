/** What `integrate git` changed, so that --undo gives back what was there before. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { parseJsonStrict } from '../../encoding/json.js';
import { AgentError } from '../../errors/agent-error.js';
import { writeFileAtomic } from '../../platform/store/atomic-file.js';
import type { SettingChange } from './signing-settings.js';

const FORMAT = 'touchstone-git-settings';
const VERSION = 1;

/** A setting as it was before the first run, and as the last run left it. */
export interface RememberedSetting {
  readonly name: string;
  readonly before: string | null;
  readonly after: string | null;
}

export interface GitMemory {
  readonly settings: readonly RememberedSetting[];
  /** File of allowed signers, and the lines that were added to it. */
  readonly signersFile: string;
  readonly signers: readonly string[];
}

/** Undefined when nothing was integrated. @throws AgentError `state.damaged` */
export function readMemory(file: string): GitMemory | undefined {
  if (!existsSync(file)) return undefined;
  const value = parseJsonStrict(readFileSync(file), `reading ${file}`, 'state.damaged');
  if (isMemory(value)) return value;
  throw new AgentError('state.damaged', { message: `reading ${file}: not what integrate git wrote` });
}

export function writeMemory(file: string, memory: GitMemory): void {
  writeFileAtomic(file, `${JSON.stringify({ format: FORMAT, version: VERSION, ...memory }, null, 2)}\n`);
}

export function forget(file: string): void {
  rmSync(file, { force: true });
}

/** The first `before` of each setting stays; later runs only move `after`. */
export function rememberedSettings(
  known: GitMemory | undefined,
  changes: readonly SettingChange[],
): readonly RememberedSetting[] {
  const settings = new Map(known?.settings.map((setting) => [setting.name, setting]));
  for (const { name, before, after } of changes) {
    const first = settings.get(name);
    settings.set(name, {
      name,
      before: first === undefined ? (before ?? null) : first.before,
      after: after ?? null,
    });
  }
  return [...settings.values()];
}

function isMemory(value: unknown): value is GitMemory {
  if (typeof value !== 'object' || value === null) return false;
  const { format, version, settings, signersFile, signers } = value as Readonly<Record<string, unknown>>;
  if (format !== FORMAT || version !== VERSION || typeof signersFile !== 'string') return false;
  return isListOf(signers, (line) => typeof line === 'string') && isListOf(settings, isSetting);
}

function isSetting(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { name, before, after } = value as Readonly<Record<string, unknown>>;
  const isValue = (one: unknown): boolean => one === null || typeof one === 'string';
  return typeof name === 'string' && isValue(before) && isValue(after);
}

function isListOf(value: unknown, check: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(check);
}
