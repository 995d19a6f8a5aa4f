/** Which content of which version may be signed. */
import { describe, expect, it } from 'vitest';
import {
  abandonContent,
  admitContent,
  baseOf,
  isOnlineRole,
  MAX_CONTENTS,
  publishContent,
  UNGUARDED,
  withdrawContent,
  type GuardedContent,
  type GuardState,
} from '../../src/policy/guard.js';
import { targetChanges } from '../../src/policy/target-changes.js';

function content(version: number, letter: string): GuardedContent {
  return { version, sha256: letter.repeat(64) };
}

/** The state after these were signed, one after the other. */
function signed(...contents: readonly GuardedContent[]): GuardState {
  return contents.reduce((state, each) => admitted(state, each), UNGUARDED);
}

function verdictOf(
  state: GuardState,
  wanted: GuardedContent,
  notStored?: string,
  isOnline = true,
): ReturnType<typeof admitContent> {
  return admitContent(state, { content: wanted, notStored, isOnline });
}

function admitted(state: GuardState, wanted: GuardedContent, notStored?: string): GuardState {
  const verdict = verdictOf(state, wanted, notStored);
  if (verdict.outcome === 'refused') throw new Error(verdict.reason);
  return verdict.state;
}

function refusal(state: GuardState, wanted: GuardedContent, notStored?: string, isOnline = true): string {
  const verdict = verdictOf(state, wanted, notStored, isOnline);
  return verdict.outcome === 'refused' ? verdict.code : verdict.outcome;
}

function published(state: GuardState, seen: GuardedContent): GuardState {
  return publishContent(state, seen).state;
}

describe('the guard', () => {
  const one = content(1, 'a');
  const two = content(2, 'b');

  it('admits the first version that it hears of, whatever its number', () => {
    expect(verdictOf(UNGUARDED, content(7, 'a')).outcome).toBe('admitted');
  });

  it('admits the same content again, signed or published, and changes nothing', () => {
    const state = signed(one);
    expect(verdictOf(state, one)).toEqual({ outcome: 'again', state });
    const after = signed(one, two);
    const seen = published(after, two);
    expect(verdictOf(seen, two)).toEqual({ outcome: 'again', state: seen });
    // Also below what is signed by now.
    const further = admitted(seen, content(3, 'c'));
    expect(verdictOf(further, two).outcome).toBe('again');
  });

  it('refuses a second content of a published version, for every role and whatever is said', () => {
    const state = published(signed(one), one);
    for (const online of [true, false]) {
      expect(refusal(state, content(1, 'b'), undefined, online)).toBe('guard.version');
      expect(refusal(state, content(1, 'b'), one.sha256, online)).toBe('guard.version');
    }
  });

  it('refuses a step back below what is published, signed or was signed', () => {
    const state = published(signed(one, content(5, 'b')), content(5, 'b'));
    expect(refusal(state, content(4, 'c'))).toBe('guard.version');
    expect(refusal(admitted(state, content(9, 'd')), content(8, 'e'))).toBe('guard.version');
    const left = admitted(admitted(UNGUARDED, content(5, 'b')), content(6, 'c'));
    const given = abandonContent(left, content(6, 'c')) ?? UNGUARDED;
    expect(refusal(given, content(5, 'd'))).toBe('guard.version');
    expect(refusal(given, content(6, 'd'))).toBe('admitted');
  });

  it('refuses a second content of a signed version, unless the server did not store the first', () => {
    const state = signed(one);
    const other = content(1, 'b');
    expect(refusal(state, other)).toBe('guard.conflict');
    expect(refusal(state, other, 'c'.repeat(64))).toBe('guard.conflict');
    expect(refusal(state, other, one.sha256, false)).toBe('guard.conflict');
    expect(verdictOf(state, other, one.sha256)).toMatchObject({ outcome: 'admitted', replaces: one.sha256 });
  });

  it(`gives one version ${MAX_CONTENTS} contents and not one more`, () => {
    let state = signed(one);
    let last = one;
    for (let more = 1; more < MAX_CONTENTS; more += 1) {
      const next = content(1, String(more));
      state = admitted(state, next, last.sha256);
      last = next;
    }
    expect(state.signed?.contents).toHaveLength(MAX_CONTENTS);
    expect(refusal(state, content(1, '9'), last.sha256)).toBe('guard.conflict');
    // An earlier one is no new content, and counts from now on.
    const again = admitted(state, one);
    expect(again.signed?.contents.at(-1)).toBe(one.sha256);
    expect(again.signed?.contents).toHaveLength(MAX_CONTENTS);
    expect(refusal(again, content(2, '9'))).toBe('admitted');
  });

  it('believes a reader only about what was signed here', () => {
    const state = signed(one, two);
    for (const unknown of [one, content(2, 'c'), content(3, 'b')])
      expect(publishContent(state, unknown)).toEqual({ matched: false, state });
    expect(publishContent(state, two)).toMatchObject({
      matched: true,
      state: { published: two, signed: null },
    });
    expect(publishContent(published(state, two), two).matched).toBe(true);
    // The server had stored the first after all.
    const replaced = admitted(signed(one), content(1, 'b'), one.sha256);
    expect(publishContent(replaced, one).matched).toBe(true);
    expect(refusal(published(replaced, one), content(1, 'b'))).toBe('guard.version');
  });

  it('abandons exactly what is signed', () => {
    const state = published(signed(one), one);
    expect(abandonContent(state, one)).toBeUndefined();
    const next = admitted(state, two);
    expect(abandonContent(next, content(2, 'c'))).toBeUndefined();
    expect(abandonContent(next, content(3, 'b'))).toBeUndefined();
    const given = abandonContent(next, two);
    expect(given).toMatchObject({ published: one, signed: null });
    expect(refusal(given ?? UNGUARDED, content(2, 'c'), undefined, false)).toBe('admitted');
  });

  it('takes back an admission as if it had not been', () => {
    const state = published(signed(one), one);
    const next = admitted(state, two);
    expect(withdrawContent(next, state)).toEqual(state);
    const replaced = admitted(signed(one), content(1, 'b'), one.sha256);
    expect(refusal(withdrawContent(replaced, signed(one)), content(1, 'b'))).toBe('guard.conflict');
  });

  it.each([
    ['snapshot', true],
    ['timestamp', true],
    ['root', false],
    ['targets', false],
    ['targets/snapshot', false],
  ])('takes %s for online: %s', (role, online) => {
    expect(isOnlineRole(role)).toBe(online);
  });
});

describe('the document to compare with', () => {
  const one = content(1, 'a');
  const two = content(2, 'b');

  it('is the newest one below, signed or published', () => {
    expect(baseOf(UNGUARDED, one)).toBe('empty');
    expect(baseOf(UNGUARDED, two)).toBeUndefined();
    expect(baseOf(signed(one), two)).toEqual(one);
    expect(baseOf(signed(one, two), two)).toEqual(one);
    expect(baseOf(signed(one, two), content(3, 'c'))).toEqual(two);
    expect(baseOf(signed(one), one)).toBe('empty');
  });

  it('is what stood before a document that was given up', () => {
    const given = abandonContent(signed(one, two), two) ?? UNGUARDED;
    expect(baseOf(given, content(2, 'c'))).toEqual(one);
    expect(baseOf(admitted(given, content(2, 'c')), content(2, 'c'))).toEqual(one);
  });

  it('shows what is new, what moved and what is gone, in the order of the names', () => {
    const fact = (letter: string, length = 1): { sha256: string; length: number } => ({
      sha256: letter.repeat(64),
      length,
    });
    const base = new Map([
      ['v0', fact('0')],
      ['v1', fact('1')],
      ['same', fact('5')],
      ['longer', fact('6')],
    ]);
    const now = new Map([
      ['v1', fact('a')],
      ['v2', fact('b')],
      ['same', fact('5')],
      ['longer', fact('6', 2)],
    ]);
    expect(targetChanges(base, now)).toEqual({
      changed: 4,
      changes: [
        `longer moved to sha256:${'6'.repeat(64)}`,
        '-v0',
        `v1 moved to sha256:${'a'.repeat(64)}`,
        `+v2 sha256:${'b'.repeat(64)}`,
      ],
    });
    expect(targetChanges(base, base)).toEqual({ changed: 0, changes: [] });
    expect(targetChanges(undefined, now)).toEqual({ changes: ['no base'] });
  });

  it('shows twenty names at most, and none that could move a cursor', () => {
    const many = new Map(
      Array.from({ length: 30 }, (_, at) => [`v${at}`, { sha256: 'a'.repeat(64), length: 1 }] as const),
    );
    const shown = targetChanges(new Map(), many);
    expect([shown.changed, shown.changes.length]).toEqual([30, 20]);
    const hostile = new Map([[`\u001b[2J${'x'.repeat(300)}`, { sha256: 'a'.repeat(64), length: 1 }]]);
    const [line = ''] = targetChanges(new Map(), hostile).changes;
    expect(line).not.toContain('\u001b');
    expect(line.length).toBeLessThan(160);
  });
});
