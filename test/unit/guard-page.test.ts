/** The guard is listed in pages. */
import { describe, expect, it } from 'vitest';
import { guardPage } from '../../src/agent/guard-page.js';
import { listGuard } from '../../src/client/guard-list.js';
import { UNGUARDED } from '../../src/policy/guard.js';
import { LIMITS } from '../../src/protocol/limits.js';
import type { Params, Result } from '../../src/protocol/methods.js';
import type { GuardEntry } from '../../src/state/guard-entry.js';

function entries(count: number): readonly GuardEntry[] {
  return Array.from({ length: count }, (_, at) => ({
    repository: `registry.example/acme/app${at % 2}`,
    role: at % 3 === 0 ? 'targets' : `targets/s${at}`,
    state: UNGUARDED,
    changes: 1,
  }));
}

describe('a page of the guard', () => {
  it('is full, says where the next one begins, and the last one says that it is', () => {
    const all = entries(LIMITS.listedKeys + 1);
    const first = guardPage(all, {});
    expect(first.entries).toEqual(all.slice(0, LIMITS.listedKeys));
    expect(first.next).toBe(LIMITS.listedKeys);
    expect(guardPage(all, { from: LIMITS.listedKeys })).toEqual({ entries: all.slice(-1), next: null });
  });

  it('holds only the repository and role that were asked for', () => {
    const found = guardPage(entries(12), { repository: 'registry.example/acme/app1', role: 'targets' });
    expect(found.entries.map(({ repository, role }) => [repository, role])).toEqual([
      ['registry.example/acme/app1', 'targets'],
      ['registry.example/acme/app1', 'targets'],
    ]);
    expect(found.next).toBeNull();
  });

  it('is followed by the others until the last one', async () => {
    const all = entries(2 * LIMITS.listedKeys + 5);
    const asked: Params<'guard.show'>[] = [];
    const listed = await listGuard((params) => {
      asked.push(params);
      const { entries: page, next } = guardPage(all, params);
      const shown: Result<'guard.show'>['entries'] = page.map(({ repository, role }) => ({
        repository,
        role,
        published: null,
        signed: null,
      }));
      return Promise.resolve({ entries: shown, next });
    }, {});
    expect(listed.map(({ role }) => role)).toEqual(all.map(({ role }) => role));
    expect(asked.map(({ from }) => from)).toEqual([undefined, LIMITS.listedKeys, 2 * LIMITS.listedKeys]);
  });
});
