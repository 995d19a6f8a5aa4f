/** Who started whom: for people to read, never to decide by. Programs choose these names themselves. */
import { readFileSync } from 'node:fs';

const MAX_PROCESSES = 6;

/** Names of a process and its parents, nearest first, as /proc shows them now; empty where it shows nothing. */
export function processChain(pid: number): readonly string[] {
  const names: string[] = [];
  for (let at = pid; at > 1 && names.length < MAX_PROCESSES;) {
    const stat = statOf(at);
    // proc(5): the name stands in parentheses and may hold some; state and parent follow the last one.
    const end = stat.lastIndexOf(')');
    if (end < 0) break;
    names.push(stat.slice(stat.indexOf('(') + 1, end).replaceAll(/\P{L}/gu, onlyPlain));
    at = Number(stat.slice(end + 2).split(' ')[1]);
  }
  return names;
}

function statOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return '';
  }
}

/** A name must not look like another line, or like more of the sentence. */
function onlyPlain(character: string): string {
  return /[\w.+-]/.test(character) ? character : '?';
}
