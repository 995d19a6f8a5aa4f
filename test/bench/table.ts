/** What the benchmark prints: rows, ratios against their targets, and the same as JSON. */
import { median, type Measurement, type Row } from './measurement.js';

export interface RowResult {
  readonly id: string;
  readonly label: string;
  readonly unit: string;
  /** Medians over the rounds. */
  readonly value: number;
  readonly medianMicros?: number | undefined;
  readonly runs: readonly number[];
}

export interface RatioResult {
  readonly label: string;
  readonly ratio: number;
  readonly target: string;
  readonly met: boolean;
}

/** One request at a time through a door of its own, and how much longer that takes than over the control socket. */
export interface DoorResult {
  readonly label: string;
  readonly signaturesPerSecond: number;
  readonly addedMicros: number;
}

export interface BenchReport {
  readonly rows: readonly RowResult[];
  readonly ratios: readonly RatioResult[];
  readonly doors: readonly DoorResult[];
}

export function summarise(row: Row, runs: readonly Measurement[]): RowResult {
  const micros = runs.flatMap((run) => (run.medianMicros === undefined ? [] : [run.medianMicros]));
  return {
    id: row.id,
    label: row.label,
    unit: row.unit,
    value: median(runs.map((run) => run.value)),
    medianMicros: micros.length === 0 ? undefined : median(micros),
    runs: runs.map((run) => run.value),
  };
}

function figure(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function columns(lines: readonly (readonly string[])[], rightFrom: number): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column >= rightFrom ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function renderRows(rows: readonly RowResult[]): string {
  const body = rows.map((row) => [
    row.label,
    figure(row.value),
    row.unit,
    row.medianMicros === undefined ? '' : `${figure(row.medianMicros)} us`,
    `${figure(Math.min(...row.runs))} to ${figure(Math.max(...row.runs))}`,
  ]);
  return columns([['what', 'median', '', 'p50', 'lowest to highest run'], ...body], 1);
}

export function renderRatios(ratios: readonly RatioResult[]): string {
  const body = ratios.map((each) => [
    each.met ? 'met' : 'MISSED',
    each.label,
    figure(each.ratio),
    each.target,
  ]);
  return columns([['', 'ratio', 'measured', 'target'], ...body], 2);
}

export function renderDoors(doors: readonly DoorResult[]): string {
  const body = doors.map((each) => [
    each.label,
    `${figure(each.signaturesPerSecond)} sign/s`,
    `${each.addedMicros < 0 ? '-' : '+'}${figure(Math.abs(each.addedMicros))} us`,
  ]);
  return columns([['door, one request at a time', 'measured', 'against the control socket'], ...body], 1);
}
