/**
 * Words in front of a command that take every capability away but keep the user. As root, checks that root bypasses
 * would otherwise prove nothing; uid 0 without capabilities is treated like anybody.
 */
import { execFileSync } from 'node:child_process';

function canDropCapabilities(): boolean {
  try {
    execFileSync('setpriv', ['--bounding-set=-all', '--inh-caps=-all', 'true'], { stdio: 'pipe' });
    return true;
  } catch {
    // An ordinary user has none to drop.
    return false;
  }
}

export const UNPRIVILEGED: readonly string[] = canDropCapabilities()
  ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all']
  : ['env'];
