/**
 * A YubiKey that is pulled and put back at random moments under load, and PINs that are wrong again and again. The suite does it a few
 * times; the figures of docs/tokens/yubikey.md come from `PIV_CYCLES=200 PIV_WRONG_PINS=1000 npx vitest run piv-replug`, which prints them.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PivCycles } from '../support/piv-cycles.js';
import { processTree } from '../support/process-tree.js';

const CYCLES = Number(process.env['PIV_CYCLES'] ?? 20);
const WRONG_PINS = Number(process.env['PIV_WRONG_PINS'] ?? 60);
const LIMIT_MS = 3_600_000;
/** What a request may end with, besides what was asked for. */
const TYPED = /^(unlock|root|leaf) (unlocked|signed|key\.locked|token\.[a-z-]+)$/;

let run: PivCycles;

function say(figures: object): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

beforeEach(async () => {
  run = await PivCycles.begin();
});
afterEach(async () => {
  await run[Symbol.asyncDispose]();
});

describe('a YubiKey under load', () => {
  it(
    'ends every request, comes back by itself, and gets no PIN that nobody entered',
    async () => {
      const { recoveriesMs, ...figures } = await run.run(CYCLES);
      const at = (share: number): number => Math.round(recoveriesMs[Math.floor((CYCLES - 1) * share)] ?? 0);
      say({ ...figures, recoveryMs: { p50: at(0.5), p95: at(0.95), longest: at(1) } });
      const { outcomes, entered, inLedger, onCard, wrongOnCard } = figures;
      expect(Object.keys(outcomes).filter((name) => !TYPED.test(name))).toEqual([]);
      expect(Object.keys(outcomes)).toEqual(
        expect.arrayContaining(['leaf signed', 'root signed', 'unlock unlocked']),
      );
      expect(outcomes).not.toHaveProperty('leaf token.locked');
      expect(onCard).toBeLessThanOrEqual(inLedger);
      expect(inLedger).toBeLessThanOrEqual(entered);
      expect(wrongOnCard).toBe(0);
      const hosts = processTree(await run.agent.pid()).filter((pid) =>
        readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('tokenhost.js'),
      );
      expect(hosts.length).toBe(1);
    },
    LIMIT_MS,
  );

  it(
    'spends one try for a PIN that is wrong again and again, and leaves the last to those who ask for it',
    async () => {
      const { counters, state } = run.desk.key;
      const same = new Set<string>();
      for (let entry = 0; entry < WRONG_PINS; entry += 1) same.add(await run.enter('999999'));
      expect([...same]).toEqual(['token.pin-incorrect', 'token.pin-known-wrong']);
      expect([counters.wrongPins, state.pin.triesLeft]).toEqual([1, 2]);
      const different = new Set<string>();
      for (let entry = 0; entry < WRONG_PINS; entry += 1)
        different.add(await run.enter(String(800_000 + entry)));
      expect([...different]).toEqual(['token.pin-incorrect', 'token.pin-last-try']);
      expect([counters.wrongPins, state.pin.triesLeft]).toEqual([2, 1]);
      say({ requests: 2 * WRONG_PINS, wrongPinsOnCard: counters.wrongPins, triesLeft: state.pin.triesLeft });
    },
    LIMIT_MS,
  );
});
