import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AppendLog } from '../../src/platform/store/append-log.js';
import { GroupCommit } from '../../src/state/group-commit.js';
import { codeOf } from '../support/error-code.js';
import { TempFolder } from '../support/temp-folder.js';

interface Heard {
  readonly durable: number[];
  readonly takenBack: (readonly number[])[];
}

function commitTo(path: string, durability: 'fsync' | 'os'): { commit: GroupCommit<number>; heard: Heard } {
  const heard: Heard = { durable: [], takenBack: [] };
  const commit = new GroupCommit<number>(AppendLog.open(path), durability, {
    onDurable: (line) => heard.durable.push(line),
    onTakenBack: (lines) => heard.takenBack.push(lines),
  });
  return { commit, heard };
}

async function outcome(waiting: Promise<void>): Promise<string> {
  return waiting.then(
    () => 'durable',
    (error: unknown) => (error as { code: string }).code,
  );
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('groups of lines', () => {
  it('are one per turn, and durable in order', async () => {
    using root = new TempFolder();
    const { commit, heard } = commitTo(root.join('log'), 'fsync');
    using _ = commit;
    commit.push('1', 1);
    const first = commit.flush();
    commit.push('2', 2);
    expect(commit.flush()).toBe(first);
    await turn();
    commit.push('3', 3);
    const second = commit.flush();
    expect(second).not.toBe(first);
    await Promise.all([first, second]);
    expect(heard).toEqual({ durable: [2, 3], takenBack: [] });
    expect(readFileSync(root.join('log'), 'utf8')).toBe('1\n2\n3\n');
  });

  it('are settled by a blocking flush in between, once', async () => {
    using root = new TempFolder();
    const { commit, heard } = commitTo(root.join('log'), 'fsync');
    using _ = commit;
    commit.push('1', 1);
    const first = commit.flush();
    await turn();
    commit.push('2', 2);
    const second = commit.flush();
    commit.flushNow();
    expect(heard.durable.at(-1)).toBe(2);
    expect(await outcome(first)).toBe('durable');
    expect(await outcome(second)).toBe('durable');
    commit.push('3', 3);
    await commit.flush();
    expect(heard.durable.at(-1)).toBe(3);
    expect(readFileSync(root.join('log'), 'utf8')).toBe('1\n2\n3\n');
  });

  it('end in another file after a switch, with a sync still under way', async () => {
    using root = new TempFolder();
    const { commit } = commitTo(root.join('one'), 'fsync');
    using _ = commit;
    commit.push('1', 1);
    const first = commit.flush();
    await turn();
    commit.flushNow();
    commit.switchTo(AppendLog.open(root.join('two')));
    commit.push('2', 2);
    await Promise.all([first, commit.flush()]);
    expect([readFileSync(root.join('one'), 'utf8'), readFileSync(root.join('two'), 'utf8')]).toEqual([
      '1\n',
      '2\n',
    ]);
  });
});

describe('a disk that takes the bytes but not the sync', () => {
  // /dev/null accepts every write and answers fdatasync with EINVAL.
  it('makes every group that was not durable fail, also those written or staged meanwhile', async () => {
    const { commit, heard } = commitTo('/dev/null', 'fsync');
    using _ = commit;
    commit.push('1', 1);
    const first = commit.flush();
    await turn();
    commit.push('2', 2);
    const second = commit.flush();
    expect([await outcome(first), await outcome(second)]).toEqual(['audit.write', 'audit.write']);
    expect(heard.durable).toEqual([]);
    expect(heard.takenBack.flat().sort()).toEqual([1, 2]);
    commit.push('3', 3);
    expect(
      codeOf(() => {
        commit.flushNow();
      }),
    ).toBe('audit.write');
    expect(heard.takenBack.at(-1)).toEqual([3]);
  });
});

describe('a disk that is full', () => {
  it('makes the whole group fail and forgets none of its lines', async () => {
    const { commit, heard } = commitTo('/dev/full', 'os');
    using _ = commit;
    commit.push('1', 1);
    commit.push('2', 2);
    expect(await outcome(commit.flush())).toBe('audit.write');
    expect(heard).toEqual({ durable: [], takenBack: [[1, 2]] });
    expect(commit.hasStaged).toBe(false);
  });
});
