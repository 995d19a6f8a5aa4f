/**
 * The targets. A ratio is taken between two runs of the same round, which ran side by side on the same machine, and
 * the median of those is what counts.
 */
import { median, type Measurement } from './measurement.js';
import type { RatioResult } from './table.js';

/** Measurements of one round, by row id. */
export type Round = ReadonlyMap<string, Measurement>;

interface Target {
  readonly label: string;
  readonly of: string;
  readonly to: string;
  readonly figure: 'value' | 'medianMicros';
  readonly bound: 'at least' | 'at most';
  readonly limit: number;
}

function atLeast(label: string, of: string, to: string, limit: number): Target {
  return { label, of, to, limit, figure: 'value', bound: 'at least' };
}

const TARGETS: readonly Target[] = [
  atLeast('P-256 depth 64, against ssh-agent', 'us-p256-64', 'ssh-agent-p256-64', 6),
  atLeast('Ed25519 depth 64, against ssh-agent', 'us-ed25519-64', 'ssh-agent-ed25519-64', 12),
  atLeast('P-256 depth 64, against one OpenSSL core', 'us-p256-64', 'openssl-p256', 0.45),
  {
    label: 'P-256 depth 1 median time, against ssh-agent',
    of: 'us-p256-1',
    to: 'ssh-agent-p256-1',
    figure: 'medianMicros',
    bound: 'at most',
    limit: 0.5,
  },
  atLeast('SSH socket, P-256 depth 1, against ssh-agent', 'us-ssh-p256-1', 'ssh-agent-p256-1', 1),
  atLeast('SSH socket, Ed25519 depth 1, against ssh-agent', 'us-ssh-ed25519-1', 'ssh-agent-ed25519-1', 1),
  atLeast('SSH socket, P-256 depth 16, against ssh-agent', 'us-ssh-p256-16', 'ssh-agent-p256-16', 1),
  atLeast('SSH socket, Ed25519 depth 16, against ssh-agent', 'us-ssh-ed25519-16', 'ssh-agent-ed25519-16', 1),
  atLeast('SSH socket, P-256 depth 64, against ssh-agent', 'us-ssh-p256-64', 'ssh-agent-p256-64', 1),
  atLeast('SSH socket, Ed25519 depth 64, against ssh-agent', 'us-ssh-ed25519-64', 'ssh-agent-ed25519-64', 1),
  atLeast('PKCS#11 socket, one client, against p11-kit server', 'us-pkcs11-1', 'pkcs11-p11-kit-1', 0.6),
  atLeast('PKCS#11 socket, 8 clients, against p11-kit server', 'us-pkcs11-8', 'pkcs11-p11-kit-8', 1),
  atLeast('P-256 depth 64 with fsync, against ssh-agent', 'us-fsync-p256-64', 'ssh-agent-p256-64', 3),
  atLeast('on-token, verified, against the raw token object', 'us-token-64', 'token-raw', 0.35),
  atLeast('batch of 256, against depth 64', 'us-p256-batch', 'us-p256-64', 1),
  {
    label: '"touchstone sign" as a process, against bare Node',
    of: 'cli-sign',
    to: 'node-start',
    figure: 'value',
    bound: 'at most',
    limit: 3,
  },
];

/** Every ratio whose two rows were measured. */
export function judge(rounds: readonly Round[]): readonly RatioResult[] {
  return TARGETS.flatMap((target): readonly RatioResult[] => {
    const ratios = rounds.flatMap((round) => {
      const of = round.get(target.of)?.[target.figure];
      const to = round.get(target.to)?.[target.figure];
      return of === undefined || to === undefined ? [] : [of / to];
    });
    if (ratios.length === 0) return [];
    const ratio = median(ratios);
    const met = target.bound === 'at least' ? ratio >= target.limit : ratio <= target.limit;
    return [{ label: target.label, ratio, target: `${target.bound} ${target.limit}`, met }];
  });
}
