import { describe, expect, it } from 'vitest';
import { usageFromJson, usageToJson } from '../../src/policy/usage-document.js';
import { admit, checkLimits, emptyUsage, recordUses, type UsageState } from '../../src/policy/usage.js';
import { codeOf } from '../support/error-code.js';

const NOON = Date.parse('2026-01-01T12:00:00Z');
const MINUTE = 60_000;

function admitted(state: UsageState, uses: number, nowMs: number, perHour = 10): UsageState | undefined {
  const admission = admit(state, [{ rule: 'r', limits: { perHour }, uses }], nowMs);
  return admission.outcome === 'admitted' ? admission.state : undefined;
}

describe('usage', () => {
  it('counts nothing for rules without limits', () => {
    const state = emptyUsage();
    const admission = admit(state, [{ rule: 'r', limits: undefined, uses: 1000 }], NOON);
    expect(admission).toEqual({ outcome: 'admitted', state });
  });

  it('says when an hour is used up until', () => {
    const state = recordUses(emptyUsage(), [{ rule: 'r', uses: 10 }], NOON + 30_000);
    const verdict = checkLimits(state, { rule: 'r', limits: { perHour: 10 }, uses: 1 }, NOON + MINUTE);
    expect(verdict).toMatchObject({ outcome: 'exceeded', rule: 'r', freesAtMs: NOON + 61 * MINUTE });
    expect(admitted(state, 1, NOON + 61 * MINUTE - 1)).toBeUndefined();
    expect(admitted(state, 1, NOON + 61 * MINUTE)).toBeDefined();
  });

  it('frees only as much as is needed', () => {
    let state = recordUses(emptyUsage(), [{ rule: 'r', uses: 4 }], NOON);
    state = recordUses(state, [{ rule: 'r', uses: 4 }], NOON + 10 * MINUTE);
    const verdict = (uses: number): unknown =>
      checkLimits(state, { rule: 'r', limits: { perHour: 10 }, uses }, NOON + 20 * MINUTE);
    expect(verdict(2)).toEqual({ outcome: 'within' });
    expect(verdict(6)).toMatchObject({ freesAtMs: NOON + 61 * MINUTE });
    expect(verdict(7)).toMatchObject({ freesAtMs: NOON + 71 * MINUTE });
    expect(verdict(11)).toMatchObject({ outcome: 'exceeded', freesAtMs: null });
  });

  it('admits all demands of a batch or none', () => {
    const demands = [
      { rule: 'wide', limits: { count: 100 }, uses: 3 },
      { rule: 'narrow', limits: { count: 2 }, uses: 3 },
    ];
    expect(admit(emptyUsage(), demands, NOON)).toMatchObject({
      outcome: 'exceeded',
      rule: 'narrow',
      freesAtMs: null,
    });
    const fitting = admit(
      emptyUsage(),
      demands.map((demand) => ({ ...demand, uses: 2 })),
      NOON,
    );
    expect(
      fitting.outcome === 'admitted' &&
        [...fitting.state.rules.entries()].map(([rule, use]) => [rule, use.total]),
    ).toEqual([
      ['wide', 2],
      ['narrow', 2],
    ]);
  });

  it('keeps the total when the hour has passed', () => {
    const state = recordUses(emptyUsage(), [{ rule: 'r', uses: 5 }], NOON);
    const later = recordUses(state, [{ rule: 'r', uses: 1 }], NOON + 500 * MINUTE);
    expect(later.rules.get('r')).toEqual({ total: 6, buckets: [[(NOON + 500 * MINUTE) / MINUTE, 1]] });
  });

  it('is not fooled by a clock that steps back', () => {
    const state = recordUses(emptyUsage(), [{ rule: 'r', uses: 10 }], NOON);
    expect(admitted(state, 1, NOON - 5 * MINUTE)).toBeUndefined();
    const both = recordUses(state, [{ rule: 'r', uses: 1 }], NOON - 5 * MINUTE);
    expect(both.rules.get('r')?.buckets.map(([, uses]) => uses)).toEqual([1, 10]);
  });

  it('does not change the state it is given', () => {
    const state = recordUses(emptyUsage(), [{ rule: 'r', uses: 1 }], NOON);
    const before = JSON.stringify(usageToJson(state));
    recordUses(state, [{ rule: 'r', uses: 1 }], NOON);
    expect(JSON.stringify(usageToJson(state))).toBe(before);
  });
});

describe('usage file', () => {
  it('comes back as it was', () => {
    const state = recordUses(
      emptyUsage(),
      [
        { rule: 'r', uses: 3 },
        { rule: 's.t', uses: 1 },
      ],
      NOON,
    );
    expect(usageFromJson(JSON.parse(JSON.stringify(usageToJson(state))))).toEqual(state);
  });

  it.each([
    ['{"format":"touchstone-usage","version":2,"rules":{}}', 'state.version'],
    ['{"format":"other","version":1,"rules":{}}', 'state.version'],
    ['{"version":1,"rules":{}}', 'state.damaged'],
    ['{"format":"touchstone-usage","version":1}', 'state.damaged'],
    ['{"format":"touchstone-usage","version":1,"rules":{"r":{"total":-1,"buckets":[]}}}', 'state.damaged'],
    ['{"format":"touchstone-usage","version":1,"rules":{"r":{"total":1,"buckets":[[1]]}}}', 'state.damaged'],
    ['{"format":"touchstone-usage","version":1,"rules":{},"x":1}', 'state.damaged'],
    ['null', 'state.damaged'],
    ['[]', 'state.damaged'],
  ])('%s: %s', (text, code) => {
    expect(codeOf(() => usageFromJson(JSON.parse(text)))).toBe(code);
  });
});
