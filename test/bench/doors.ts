/** What each door adds to the control socket: medians of single P-256 requests, both taken in the same round. */
import { median } from './measurement.js';
import type { Round } from './ratios.js';
import type { DoorResult } from './table.js';

const CONTROL = 'us-p256-1';
const DOORS = [
  { label: 'SSH socket', id: 'us-ssh-p256-1' },
  { label: 'PKCS#11 socket', id: 'us-pkcs11-1' },
  { label: 'cosign plugin', id: 'us-cosign' },
  { label: 'Notation plugin', id: 'us-notation' },
] as const;

/** Every door that was measured beside the control socket. */
export function compareDoors(rounds: readonly Round[]): readonly DoorResult[] {
  return DOORS.flatMap(({ label, id }): readonly DoorResult[] => {
    const pairs = rounds.flatMap((round) => {
      const door = round.get(id);
      const control = round.get(CONTROL)?.medianMicros;
      if (door?.medianMicros === undefined || control === undefined) return [];
      return [{ rate: door.value, added: door.medianMicros - control }];
    });
    if (pairs.length === 0) return [];
    const addedMicros = median(pairs.map(({ added }) => added));
    return [{ label, signaturesPerSecond: median(pairs.map(({ rate }) => rate)), addedMicros }];
  });
}
