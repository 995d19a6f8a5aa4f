/** Programs that have the PC/SC library loaded, as /proc shows them: for people to read, never to decide by. */
import { readdirSync, readFileSync } from 'node:fs';
import { processChain } from './process-chain.js';

const LIBRARY = 'libpcsclite.so';
const MAX_USERS = 8;

export interface SmartCardUser {
  readonly pid: number;
  readonly name: string;
}

/** Those that this user may look at; empty where there is no /proc. */
export function smartCardUsers(): readonly SmartCardUser[] {
  return processIds()
    .filter((pid) => mapsOf(pid).includes(LIBRARY))
    .slice(0, MAX_USERS)
    .map((pid) => ({ pid, name: processChain(pid)[0] ?? 'a program' }));
}

function processIds(): readonly number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function mapsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/maps`, 'latin1');
  } catch {
    return '';
  }
}
