/** Root keys on several tokens, two of which have to sign: what the stock client makes of it, and what one absent token stops. */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NotaryClient } from '../support/notary-client.js';
import { agentOver } from '../support/own-token-agent.js';
import { SoftHsmStore } from '../support/softhsm-store.js';
import { TrustPublisher, TrustStack } from '../support/trust-stack.js';

const TOKENS = ['release', 'spare', 'vault'] as const;
const stores = TOKENS.map((name) => ({ name, store: new SoftHsmStore(name) }));

let stack: TrustStack;
let owner: TrustPublisher;
beforeAll(async () => {
  stack = await TrustStack.start();
  const agent = await agentOver(...stores);
  owner = new TrustPublisher(agent, stack.server);
  await agent.start();
  await agent.must(['token', 'setup', '--token', 'release', '--pin-file', agent.pinFile]);
});
afterAll(async () => {
  await owner[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
  for (const { store } of stores) store[Symbol.dispose]();
});

/** Unlocks these tokens and locks every other one. */
async function unlocked(...tokens: readonly string[]): Promise<void> {
  await owner.agent.must(['lock']);
  for (const token of tokens) {
    await owner.agent.must(['unlock', '--token', token, '--pin-file', owner.agent.pinFile]);
  }
}

/** A root key of the repository on another token. */
async function rootOn(token: string, gun: string, index: number): Promise<string> {
  const name = `${gun}#root:${index}`;
  await owner.agent.must(['key', 'create', name, '--token', token, '--pin-file', owner.agent.pinFile]);
  return name;
}

/** With the store of a token gone, as if it had been pulled. */
async function without(token: string, action: () => Promise<void>): Promise<void> {
  const store = stores.find(({ name }) => name === token)?.store;
  if (store === undefined) throw new Error(`no token ${token}`);
  const away = `${store.tokens}.away`;
  renameSync(store.tokens, away);
  mkdirSync(store.tokens, { mode: 0o700 });
  try {
    await action();
  } finally {
    rmSync(store.tokens, { recursive: true });
    renameSync(away, store.tokens);
  }
}

it('two of two: both tokens sign the root, and neither can alone', async () => {
  const gun = 'localhost:5000/tokens/two';
  using notary = new NotaryClient(stack.server);
  const spare = await rootOn('spare', gun, 1);
  await unlocked('release', 'spare');
  await owner.must('init', gun, '--root-key', `${gun}#root`, '--root-key', spare, '--threshold', '2');
  await owner.sign(`${gun}:v1`, 'a');
  expect(await notary.must('list', gun)).toMatch(/v1 +a{64}/);
  await unlocked('release');
  const alone = await owner.run('key', 'rotate', gun, 'timestamp');
  expect(alone.status).not.toBe(0);
  expect(alone.stderr).toContain(`locked: ${spare}`);
  const renewed = await owner.run('key', 'rotate', gun, 'root', '--renew');
  expect(renewed.status).toBe(4);
  expect(renewed.stderr).toContain(`locked: ${spare}`);
  // What needs no root goes on.
  await owner.sign(`${gun}:v2`, 'b');
  await unlocked('release', 'spare');
  await owner.must('key', 'rotate', gun, 'timestamp');
  expect(await notary.must('list', gun)).toMatch(/v2 +b{64}/);
});

it('a rotation to other tokens is followed by a reader who saw nothing of it', async () => {
  const gun = 'localhost:5000/tokens/rotated';
  using notary = new NotaryClient(stack.server);
  const spare = await rootOn('spare', gun, 1);
  const vault = await rootOn('vault', gun, 2);
  await unlocked(...TOKENS);
  await owner.must('init', gun, '--root-key', `${gun}#root`, '--root-key', spare, '--threshold', '2');
  await owner.sign(`${gun}:v1`, 'a');
  await notary.must('list', gun);
  await owner.must('key', 'rotate', gun, 'root', '--root-key', spare, '--root-key', vault);
  await owner.must('key', 'rotate', gun, 'root', '--root-key', vault, '--threshold', '1');
  await owner.sign(`${gun}:v1`, 'c');
  expect(await notary.must('list', gun)).toMatch(/v1 +c{64}/);
  using fresh = new NotaryClient(stack.server);
  expect(await fresh.must('list', gun)).toMatch(/v1 +c{64}/);
});

it('two of three: the third token may stay in the safe', async () => {
  const gun = 'localhost:5000/tokens/three';
  using notary = new NotaryClient(stack.server);
  const names = [`${gun}#root`, await rootOn('spare', gun, 1), await rootOn('vault', gun, 2)];
  const roots = names.flatMap((name) => ['--root-key', name]);
  await unlocked(...TOKENS);
  await owner.must('init', gun, ...roots, '--threshold', '2');
  await notary.must('list', gun);
  await unlocked('release', 'vault');
  await without('spare', async () => {
    await owner.must('key', 'rotate', gun, 'targets');
    await owner.sign(`${gun}:v1`, 'a');
    expect(await notary.must('list', gun)).toMatch(/v1 +a{64}/);
    await owner.must(
      'key',
      'rotate',
      gun,
      'root',
      ...roots.slice(0, 2),
      ...roots.slice(4),
      '--threshold',
      '2',
    );
  });
  await owner.sign(`${gun}:v1`, 'b');
  expect(await notary.must('list', gun)).toMatch(/v1 +b{64}/);
});
