/**
 * The log of the agent's processes: JSON lines on stderr. What must never be read there is removed by its path in the record,
 * at every level, as a second line behind not logging it.
 */
import { destination, pino, type Logger } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
const STDERR = 2;

const SECRET_FIELDS = [
  'pin',
  'sealedPin',
  'secret',
  'passphrase',
  'payload',
  'message',
  'signature',
  'ciphertext',
];

/** Level from `TOUCHSTONE_LOG`; anything unknown means `info`. */
export function logLevelOf(env: Readonly<Record<string, string | undefined>>): LogLevel {
  return LEVELS.find((level) => level === env['TOUCHSTONE_LOG']) ?? 'info';
}

/** @param name of the process, for example `keeper` */
export function createLogger(name: string, level: LogLevel, fd: number = STDERR): Logger {
  const paths = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  return pino(
    {
      name,
      level,
      base: { name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths, censor: '[removed]' },
    },
    destination({ fd, sync: true }),
  );
}
