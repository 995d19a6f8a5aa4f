/** Acts in the audit log of a demo agent, straight from its files. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface WrittenLine {
  readonly type: string;
  readonly act?: string;
  readonly code?: string;
  readonly key?: string;
  readonly order?: number;
  readonly facts?: Readonly<Record<string, string | number>>;
}

/** Every line, oldest first; a last one that is just being written is left out. */
export function auditLines(stateDir: string): readonly WrittenLine[] {
  const folder = path.join(stateDir, 'audit');
  const text = readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .map((name) => readFileSync(path.join(folder, name), 'utf8'))
    .join('');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as WrittenLine);
}

/** What the acts named `act` say, oldest first. */
export function actsNamed(
  stateDir: string,
  act: string,
): readonly Readonly<Record<string, string | number>>[] {
  return auditLines(stateDir).flatMap((line) => (line.act === act ? [line.facts ?? {}] : []));
}
