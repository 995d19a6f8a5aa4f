/** Whatever is asked in whatever order: a version that readers may hold has one content. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  abandonContent,
  admitContent,
  MAX_CONTENTS,
  publishContent,
  UNGUARDED,
  type GuardedContent,
  type GuardState,
} from '../../src/policy/guard.js';
import { GuardFolder } from '../../src/state/guard-folder.js';

const content: fc.Arbitrary<GuardedContent> = fc.record({
  version: fc.integer({ min: 1, max: 6 }),
  sha256: fc.constantFrom('a', 'b', 'c').map((letter) => letter.repeat(64)),
});

interface Step {
  readonly what: 'sign' | 'replace' | 'publish' | 'abandon';
  readonly content: GuardedContent;
}

const step = (...what: readonly Step['what'][]): fc.Arbitrary<Step> =>
  fc.record({ what: fc.constantFrom(...what), content });

/** What was signed, as whoever holds signatures would know it. */
class History {
  state: GuardState = UNGUARDED;
  readonly signed = new Map<number, Set<string>>();
  readonly published = new Map<number, string>();

  /** Answers whether a signature was made. */
  take({ what, content: wanted }: Step): boolean {
    switch (what) {
      case 'sign':
        return this.#sign(wanted, undefined);
      case 'replace':
        return this.#sign(wanted, this.state.signed?.contents.at(-1));
      case 'publish': {
        const { matched, state } = publishContent(this.state, wanted);
        if (matched) {
          expect(this.signed.get(wanted.version)?.has(wanted.sha256)).toBe(true);
          this.published.set(wanted.version, wanted.sha256);
        }
        this.state = state;
        return false;
      }
      case 'abandon':
        this.state = abandonContent(this.state, wanted) ?? this.state;
        return false;
    }
  }

  #sign(wanted: GuardedContent, notStored: string | undefined): boolean {
    const verdict = admitContent(this.state, { content: wanted, notStored, isOnline: true });
    if (verdict.outcome === 'refused') return false;
    const known = this.signed.get(wanted.version) ?? new Set();
    this.signed.set(wanted.version, known.add(wanted.sha256));
    this.state = verdict.state;
    return true;
  }
}

it('without anybody saying that a server did not store something, a version has one content', () => {
  fc.assert(
    fc.property(fc.array(step('sign', 'publish'), { maxLength: 60 }), (steps) => {
      const history = new History();
      for (const each of steps) history.take(each);
      for (const contents of history.signed.values()) expect(contents.size).toBe(1);
    }),
    { numRuns: 500 },
  );
});

it('a published version is never signed with other content, and nothing below it at all', () => {
  fc.assert(
    fc.property(fc.array(step('sign', 'replace', 'publish', 'abandon'), { maxLength: 80 }), (steps) => {
      const history = new History();
      for (const each of steps) {
        const before = new Map(history.published);
        if (!history.take(each)) continue;
        for (const [version, sha256] of before) {
          if (each.content.version === version) expect(each.content.sha256).toBe(sha256);
        }
        const highest = Math.max(0, ...before.keys());
        if (each.content.version < highest) throw new Error('signed below what is published');
      }
      const { published, signed } = history.state;
      expect(published?.version ?? 0).toBe(Math.max(0, ...history.published.keys()));
      if (signed !== null) {
        expect(signed.version).toBeGreaterThan(published?.version ?? 0);
        expect(signed.contents.length).toBeLessThanOrEqual(MAX_CONTENTS);
        expect(new Set(signed.contents).size).toBe(signed.contents.length);
      }
    }),
    { numRuns: 1000 },
  );
});

it('whoever comes after a crash finds the guard as it was when the last order went out', () => {
  const steps = fc.array(fc.tuple(step('sign', 'replace', 'publish', 'abandon'), fc.boolean()), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(steps, (list) => {
      const stateDir = mkdtempSync(join(tmpdir(), 'touchstone-guard-'));
      try {
        writeAndCrash(stateDir, list);
      } finally {
        rmSync(stateDir, { recursive: true, force: true });
      }
    }),
    { numRuns: 40 },
  );
});

/** Takes each step, and after some of them goes on with nothing but what is on disk. */
function writeAndCrash(stateDir: string, steps: readonly (readonly [Step, boolean])[]): void {
  const history = new History();
  let folder = new GuardFolder(stateDir);
  expect(folder.load()).toEqual([]);
  let entry = { repository: 'acme/app', role: 'snapshot', state: history.state, changes: 0 };
  for (const [each, crashes] of steps) {
    history.take(each);
    if (history.state !== entry.state) {
      entry = { ...entry, state: history.state, changes: entry.changes + 1 };
      folder.save([{ entry }]);
    }
    if (!crashes) continue;
    folder = new GuardFolder(stateDir);
    const [found, ...others] = folder.load();
    expect(others).toEqual([]);
    if (entry.changes === 0) expect(found).toBeUndefined();
    else expect(found).toEqual(entry);
    entry = { ...entry, state: found?.state ?? UNGUARDED };
    history.state = entry.state;
  }
}
