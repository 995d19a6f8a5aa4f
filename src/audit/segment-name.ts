/** Names of the files of an audit log: numbered from 1, so that their order by name is the order of their lines. */

const PATTERN = /^audit-(\d{8})\.jsonl$/;

/** `audit-00000001.jsonl` for 1. */
export function segmentName(number: number): string {
  return `audit-${String(number).padStart(8, '0')}.jsonl`;
}

/** Number of a file of the log, or undefined for any other name. */
export function segmentNumber(name: string): number | undefined {
  const digits = PATTERN.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The files of the log among `names`, oldest first. */
export function segmentsAmong(names: readonly string[]): readonly string[] {
  return names.filter((name) => segmentNumber(name) !== undefined).sort();
}
