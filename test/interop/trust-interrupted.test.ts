/** A publisher that is killed with SIGKILL at each step: the repository stays readable, and the next publish ends or overtakes it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TOUCHSTONE } from '../support/demo-agent.js';
import { NotaryClient } from '../support/notary-client.js';
import { processTree } from '../support/process-tree.js';
import { StoppingProxy } from '../support/stopping-proxy.js';
import { readEnvelope } from '../../src/formats/notary1/reader.js';
import { Journal } from '../../src/trust/journal.js';
import { TrustServer } from '../../src/trust/server.js';
import { digestOf, TrustStack, type TrustPublisher } from '../support/trust-stack.js';

const SNAPSHOTS = ['--server-snapshot', '--client-snapshot'] as const;

let stack: TrustStack;
let alice: TrustPublisher;
let proxy: StoppingProxy;
beforeAll(async () => {
  stack = await TrustStack.start();
  alice = await stack.publisher();
  proxy = await StoppingProxy.start(stack.server);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await alice[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

/** Begins a command through the proxy. */
function begin(...argv: readonly string[]): ChildProcess {
  return spawn(process.execPath, [TOUCHSTONE, 'trust', ...argv, '--server', proxy.url], {
    env: alice.agent.environment,
    stdio: 'ignore',
  });
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

function signing(reference: string, digit: string): readonly string[] {
  return ['sign', reference, '--digest', digestOf(digit), '--size', '423'];
}

const isUpload = (method: string): boolean => method === 'POST';

/** Kills a publish of v1=b there; answers nothing, the repository tells. */
const STEPS = {
  'before the server hears of it': async (gun: string): Promise<void> => {
    const reached = proxy.stopAt({ matches: isUpload, when: 'before' });
    const child = begin(...signing(`${gun}:v1`, 'b'));
    await reached;
    await kill(child);
  },
  'when the server has stored it': async (gun: string): Promise<void> => {
    const reached = proxy.stopAt({ matches: isUpload, when: 'after' });
    const child = begin(...signing(`${gun}:v1`, 'b'));
    await reached;
    await kill(child);
  },
  'while it is read back': async (gun: string): Promise<void> => {
    const seen = proxy.log.length;
    const reached = proxy.stopAt({
      matches: (_method, url) =>
        proxy.log.slice(seen).some((line) => line.startsWith('POST')) && url.endsWith('timestamp.json'),
      when: 'before',
    });
    const child = begin(...signing(`${gun}:v1`, 'b'));
    await reached;
    await kill(child);
  },
  'while the agent signs': async (gun: string): Promise<void> => {
    const processes = processTree(await alice.agent.pid());
    const reached = proxy.stopAt({ matches: (_method, url) => url.endsWith('root.json'), when: 'after' });
    const child = begin(...signing(`${gun}:v1`, 'b'));
    await reached;
    await kill(child);
    proxy.release();
    const journal = path.join(
      ...[alice.agent.stateDir, 'trust', 'publishing', encodeURIComponent(gun), 'pending.json'],
    );
    const again = begin(...signing(`${gun}:v1`, 'b'));
    while (!existsSync(journal)) await delay(1);
    for (const pid of processes) process.kill(pid, 'SIGSTOP');
    await kill(again);
    for (const pid of processes) process.kill(pid, 'SIGCONT');
  },
} as const satisfies Record<string, (gun: string) => Promise<void>>;

describe.each(SNAPSHOTS)('%s, killed', (snapshot) => {
  it.each(Object.entries(STEPS))('%s', async (name, interrupt) => {
    const gun = `localhost:5000/killed/${name.replaceAll(' ', '-')}${snapshot}`;
    using notary = new NotaryClient(stack.server);
    await alice.must('init', gun, snapshot);
    await alice.sign(`${gun}:v1`, 'a');
    await interrupt(gun);
    proxy.release();
    expect(await notary.must('list', gun)).toMatch(/v1 +(a{64}|b{64})/);
    await alice.sign(`${gun}:v2`, 'c');
    const listed = await notary.must('list', gun);
    expect(listed).toMatch(/v1 +b{64}/);
    expect(listed).toMatch(/v2 +c{64}/);
  });

  it('before a new root is stored: the same root is given again', async () => {
    const gun = `localhost:5000/killed/root${snapshot}`;
    using notary = new NotaryClient(stack.server);
    await alice.must('init', gun, snapshot);
    await alice.sign(`${gun}:v1`, 'a');
    const reached = proxy.stopAt({ matches: isUpload, when: 'before' });
    const child = begin('key', 'rotate', gun, 'targets');
    await reached;
    await kill(child);
    proxy.release();
    await alice.sign(`${gun}:v2`, 'c');
    expect(await notary.must('list', gun)).toMatch(/v2 +c{64}/);
    const server = new TrustServer(gun, {
      env: {},
      home: alice.agent.folder,
      server: proxy.url,
      deadline: Date.now() + 20_000,
    });
    const root = readEnvelope((await server.fetch('root')) ?? Buffer.alloc(0), 'root');
    expect(root.document.version).toBe(2);
    expect(await server.fetch('root', { version: 3 })).toBeUndefined();
  });

  it('and somebody else publishes first: what was begun is dropped', async () => {
    const gun = `localhost:5000/killed/overtaken${snapshot}`;
    await alice.must('init', gun, snapshot);
    await alice.sign(`${gun}:v1`, 'a');
    await STEPS['before the server hears of it'](gun);
    proxy.release();
    // The same agent, another folder: another machine of the same owner.
    await alice.must(...signing(`${gun}:v1`, 'd'), '--trust-dir', `${alice.agent.folder}/elsewhere`);
    await alice.sign(`${gun}:v2`, 'c');
    using notary = new NotaryClient(stack.server);
    const listed = await notary.must('list', gun);
    expect(listed).toMatch(/v1 +d{64}/);
    expect(listed).toMatch(/v2 +c{64}/);
  });
});

it('before the first root is stored', async () => {
  const gun = 'localhost:5000/killed/init';
  const reached = proxy.stopAt({ matches: isUpload, when: 'before' });
  const child = begin('init', gun);
  await reached;
  await kill(child);
  proxy.release();
  await alice.must('init', gun);
  const again = await alice.run('init', gun);
  expect(again.stderr).toContain('trust data already');
  await alice.sign(`${gun}:v1`, 'a');
});

it('is dropped when that is asked for', async () => {
  const gun = 'localhost:5000/killed/reset';
  await alice.must('init', gun);
  await alice.sign(`${gun}:v1`, 'a');
  await STEPS['before the server hears of it'](gun);
  proxy.release();
  await alice.must('reset', gun);
  await alice.sign(`${gun}:v2`, 'c');
  using notary = new NotaryClient(stack.server);
  expect(await notary.must('list', gun)).toMatch(/v1 +a{64}/);
});

it('a root that was dropped is given up at the guard, after a look at the server', async () => {
  const gun = 'localhost:5000/killed/root-reset';
  await alice.must('init', gun);
  await alice.sign(`${gun}:v1`, 'a');
  const reached = proxy.stopAt({ matches: isUpload, when: 'before' });
  const child = begin('key', 'rotate', gun, 'targets');
  await reached;
  await kill(child);
  proxy.release();
  await alice.must('reset', gun);
  const refused = await alice.run('key', 'rotate', gun, 'timestamp');
  expect(refused.stderr).toContain('touchstone guard abandon');
  expect(refused.status).toBe(3);
  const abandon = ['guard', 'abandon', `${gun}#root`, '--version', '2', ...alice.options];
  const given = await alice.agent.touchstone([...abandon, '--json']);
  expect(JSON.parse(given.stdout)).toMatchObject({ version: 2, server: 'absent' });
  await alice.must('key', 'rotate', gun, 'targets');
  await alice.sign(`${gun}:v2`, 'c');
});

it('what the server has is not given up', async () => {
  const gun = 'localhost:5000/killed/stored';
  await alice.must('init', gun);
  const reached = proxy.stopAt({ matches: isUpload, when: 'after' });
  const child = begin(...signing(`${gun}:v1`, 'b'));
  await reached;
  await kill(child);
  proxy.release();
  const abandon = ['guard', 'abandon', `${gun}#targets`, '--version', '2', ...alice.options];
  const refused = await alice.agent.touchstone(abandon);
  expect(refused.stderr).toContain('the server has it');
  await alice.sign(`${gun}:v2`, 'c');
});

it('what was begun with the key of a file is not ended without it', async () => {
  const gun = 'localhost:5000/killed/foreign';
  await alice.must('init', gun);
  const journal = new Journal(`${alice.agent.stateDir}/trust`, gun);
  const signatures = [{ keyid: 'a'.repeat(64), method: 'ecdsa', key: `file#${'a'.repeat(64)}` }];
  const signedBytes = Buffer.from('{"_type":"Targets","version":2}');
  journal.write({
    words: 'import',
    begun: '2030-01-01T00:00:00Z',
    replaces: new Map([['targets', 1]]),
    documents: [{ role: 'targets', kind: 'notary.targets', version: 2, signedBytes, signatures }],
    dropped: [],
    ownSnapshot: false,
  });
  const argv = signing(`${gun}:v1`, 'b');
  const refused = await alice.run(...argv);
  expect(refused.stderr).toContain('ending what was interrupted (import): a key that it needs is not here');
  expect(refused.stderr).toContain(`touchstone trust reset ${gun}`);
  await alice.must('reset', gun);
  await alice.must(...argv);
});
