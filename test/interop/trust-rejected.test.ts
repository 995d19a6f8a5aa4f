/** An upload that the server rejects: the next command ends it, or takes it back by itself, the signed version of a root included. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CommandResult } from '../support/demo-agent.js';
import { NotaryClient } from '../support/notary-client.js';
import { REJECTION, StoppingProxy } from '../support/stopping-proxy.js';
import { digestOf, TrustStack, type TrustPublisher } from '../support/trust-stack.js';

let stack: TrustStack;
let owner: TrustPublisher;
let proxy: StoppingProxy;
beforeAll(async () => {
  stack = await TrustStack.start();
  owner = await stack.publisher();
  proxy = await StoppingProxy.start(stack.server);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await owner[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

function viaProxy(...argv: readonly string[]): Promise<CommandResult> {
  return owner.agent.touchstone(['trust', ...argv, '--server', proxy.url], { timeoutMs: 60_000 });
}

const sign = (gun: string, tag: string, digit: string): readonly string[] => [
  ...['sign', `${gun}:${tag}`, '--digest', digestOf(digit), '--size', '423'],
];

it.each(['--server-snapshot', '--client-snapshot'])('%s: is ended by the next command', async (snapshot) => {
  const gun = `localhost:5000/rejected/ended${snapshot}`;
  await owner.must('init', gun, snapshot);
  proxy.rejectUploads(1);
  const rejected = await viaProxy('key', 'rotate', gun, 'targets');
  expect(rejected.status).toBe(1);
  expect(rejected.stderr).toContain(REJECTION);
  expect(await owner.must('status', gun)).toContain('rotate targets');
  const next = await viaProxy(...sign(gun, 'v1', 'a'));
  expect(next.stderr).toContain('first ended what was interrupted: rotate targets');
  expect(next.status).toBe(0);
  using notary = new NotaryClient(stack.server);
  expect(await notary.must('list', gun)).toMatch(/v1 +a{64}/);
});

it.each(['--server-snapshot', '--client-snapshot'])(
  '%s: is taken back by the next command when it is rejected again, and its root is free',
  async (snapshot) => {
    const gun = `localhost:5000/rejected/back${snapshot}`;
    await owner.must('init', gun, snapshot);
    await owner.sign(`${gun}:v1`, 'a');
    proxy.rejectUploads(2);
    expect((await viaProxy('key', 'rotate', gun, 'root', '--renew')).status).toBe(1);
    const next = await viaProxy('key', 'rotate', gun, 'timestamp');
    expect(next.stderr).toContain(`what was begun (rotate root) is taken back: `);
    expect(next.stderr).toContain(REJECTION);
    expect(next.status).toBe(0);
    await owner.sign(`${gun}:v2`, 'b');
    using notary = new NotaryClient(stack.server);
    expect(await notary.must('list', gun)).toMatch(/v2 +b{64}/);
    expect(await owner.must('status', gun)).not.toContain('under way');
  },
);

it('of a first root leaves a repository that begins', async () => {
  const gun = 'localhost:5000/rejected/init';
  proxy.rejectUploads(2);
  expect((await viaProxy('init', gun)).status).toBe(1);
  const again = await viaProxy('init', gun);
  expect(again.stderr).toContain('is taken back');
  expect(again.status).toBe(0);
  await owner.sign(`${gun}:v1`, 'a');
});
