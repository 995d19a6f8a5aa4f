/** Where the person at this command sits, for a prompt that the agent shows: terminal, locale, display. */
import { readlinkSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { PromptPlace } from '../client/unlock.js';
import { PLACE_FORMS } from '../protocol/prompt-place.js';
import type { Environment } from './context.js';

/** Reads GPG_TTY (as gpg does), else the terminal of standard input, output or error; what has no plain form is left out. */
export function promptPlace(env: Environment): PromptPlace {
  const found = {
    tty: env['GPG_TTY'] ?? terminalName(),
    type: env['TERM'],
    locale: env['LC_ALL'] ?? env['LC_CTYPE'] ?? env['LANG'],
    display: env['DISPLAY'],
    wayland: env['WAYLAND_DISPLAY'],
  };
  const names = Object.keys(PLACE_FORMS) as (keyof typeof PLACE_FORMS)[];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = found[name];
      return value !== undefined && PLACE_FORMS[name].test(value) ? [[name, value]] : [];
    }),
  );
}

function terminalName(): string | undefined {
  const fd = [0, 1, 2].find((candidate) => isatty(candidate));
  if (fd === undefined) return undefined;
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}
