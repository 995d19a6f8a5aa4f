const UNIT_SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3_600, d: 86_400 };

/** Seconds in `90`, `90s`, `30m`, `8h`, `7d`; undefined for anything else, zero and more than a year included. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,8})([smhd]?)$/.exec(text);
  const unit = UNIT_SECONDS[match?.[2] ?? ''];
  if (match === null || unit === undefined) return undefined;
  const seconds = Number(match[1]) * unit;
  return seconds >= 1 && seconds <= 31_536_000 ? seconds : undefined;
}
