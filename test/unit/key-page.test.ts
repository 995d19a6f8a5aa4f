/** `keys.list` over a keyring that no single frame could hold. */
import { describe, expect, it } from 'vitest';
import { keyPage } from '../../src/agent/key-page.js';
import { listKeys } from '../../src/client/key-list.js';
import { keyNameOf } from '../../src/keys/key-name.js';
import type { KeyRecord } from '../../src/keys/key-record.js';
import type { KeyInfo, Params } from '../../src/protocol/methods.js';
import { leafRecord, softwareKeyring } from '../support/software-keyring.js';

const LEAVES = 12_000;

function records(): KeyRecord[] {
  const leaf = leafRecord();
  const { anchor } = softwareKeyring();
  const roles = ['timestamp', 'snapshot', 'targets'];
  return [
    anchor.root,
    anchor.derivation,
    anchor.audit,
    ...Array.from({ length: LEAVES }, (_, index) => ({
      ...leaf,
      repository: `registry.example/app${index % 4}`,
      role: roles[index % 3] ?? '',
      index,
      state: index % 2 === 0 ? ('active' as const) : ('retired' as const),
    })),
  ];
}

function infoOf(record: KeyRecord): KeyInfo {
  const { createdAt, usage } = record;
  const name = keyNameOf(record);
  return {
    name,
    usage,
    createdAt,
    algorithm: 'ecdsa-p256',
    state: 'active',
    homes: [],
    kinds: [],
    loaded: true,
  };
}

describe('a list of keys', () => {
  const all = records();

  async function namesOf(
    wanted: Omit<Params<'keys.list'>, 'from'>,
    largest: number[] = [],
  ): Promise<readonly string[]> {
    const { keys } = await listKeys((params) => {
      const { records: page, next } = keyPage(all, params);
      const reply = { domain: 'example', keys: page.map(infoOf), next };
      largest.push(page.length);
      return Promise.resolve(reply);
    }, wanted);
    return keys.map(({ name }) => name);
  }

  it('comes in pages of a thousand, whole and in order', async () => {
    const sizes: number[] = [];
    expect(await namesOf({ all: true }, sizes)).toEqual(all.map(keyNameOf));
    expect(Math.max(...sizes)).toBe(1_000);
    expect(await namesOf({})).toHaveLength(LEAVES / 2 + 3);
  });

  it('is of one repository, one role or both, and then of nothing else', async () => {
    const repository = 'registry.example/app1';
    const both = await namesOf({ all: true, repository, role: 'snapshot' });
    expect(both).toHaveLength(LEAVES / 12);
    expect(both.every((name) => name.startsWith(`${repository}#snapshot`))).toBe(true);
    expect(await namesOf({ all: true, repository })).toHaveLength(LEAVES / 4);
    expect(await namesOf({ all: true, role: 'timestamp' })).toHaveLength(LEAVES / 3);
    expect(await namesOf({ repository: 'registry.example/app' })).toEqual([]);
  });

  it('keeps its places while keys are added and retired between two pages', () => {
    const first = keyPage(all, {});
    const later = all.map((record) =>
      record.usage === 'sign' ? { ...record, state: 'retired' as const } : record,
    );
    const added = { ...leafRecord(), repository: 'registry.example/new' };
    const seen = [...first.records];
    for (let next = first.next; next !== null;) {
      const page = keyPage([...later, added], { from: next });
      seen.push(...page.records);
      next = page.next;
    }
    expect(seen.at(-1)).toEqual(added);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('ends with an agent that does not move on', async () => {
    let pages = 0;
    await listKeys(() => {
      pages += 1;
      return Promise.resolve({ domain: null, keys: [], next: 5 });
    }, {});
    expect(pages).toBe(2);
  });
});
