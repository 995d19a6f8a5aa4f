import type { OptionSpec } from '../command.js';

/** For every command that needs a PIN. Without them the PIN is asked for at the terminal. */
export const PIN_OPTIONS: readonly OptionSpec[] = [
  { flags: '--pin-file <file>', summary: 'read the PIN from this file (mode 0600) instead of the terminal' },
  { flags: '--pin-fd <number>', summary: 'read the PIN from this open file descriptor' },
  { flags: '--use-last-try <serial>', summary: 'use the last try of the token with this serial' },
];
