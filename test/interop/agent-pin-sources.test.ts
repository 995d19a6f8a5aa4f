/** PINs that the agent itself takes from a file or a systemd credential at start, and how rarely it dares to. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { actsNamed } from '../support/audit-acts.js';
import { connectTo, fileStatement, outcomeOf } from '../support/agent-client.js';
import type { DemoAgent } from '../support/demo-agent.js';
import { FAULTY_PIN } from '../support/faulty-module.js';
import { FaultyAgent } from '../support/faulty-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { PIN, SoftHsmStore } from '../support/softhsm-store.js';

const KEY = 'touchstone/release#ssh';

/** What signing gives, once the agent has had the time to unlock by itself. */
async function outcomeSoon(agent: DemoAgent, wanted: string): Promise<void> {
  using client = await connectTo(agent);
  await expect
    .poll(() => outcomeOf(client, fileStatement(KEY, 'content')), { timeout: 45_000, interval: 50 })
    .toBe(wanted);
}

/** Sets a token up by hand and configures `pin` for the next start. */
async function agentWithPin(store: SoftHsmStore, pin: (agent: DemoAgent) => string): Promise<DemoAgent> {
  const agent = await agentOver({ name: 'release', store });
  await agent.start();
  await agent.setUpToken();
  await agent.derive(KEY);
  await agent.stop();
  agent.configure((toml) => `${toml.trimEnd()}\npin = ${pin(agent)}\n`);
  return agent;
}

describe('a PIN from the configuration', () => {
  it('is read from a private file at start, and not again after lock', async () => {
    using store = new SoftHsmStore('release');
    await using agent = await agentWithPin(store, ({ pinFile }) => `{ file = "${pinFile}" }`);
    await agent.start();
    await outcomeSoon(agent, 'signed');
    await expect
      .poll(() => actsNamed(agent.stateDir, 'unlock').at(-1), { timeout: 10_000 })
      .toMatchObject({
        token: 'release',
        by: 'configuration',
      });
    await agent.must(['lock']);
    await outcomeSoon(agent, 'key.locked');
    await agent.stop();
    chmodSync(agent.pinFile, 0o644);
    await agent.start();
    await expect.poll(() => actsNamed(agent.stateDir, 'unlock-refused'), { timeout: 45_000 }).toHaveLength(1);
    expect(actsNamed(agent.stateDir, 'unlock-refused')).toMatchObject([
      { token: 'release', code: 'usage.file' },
    ]);
    await outcomeSoon(agent, 'key.locked');
  });

  it('is read from a systemd credential at start', async () => {
    using store = new SoftHsmStore('release');
    await using agent = await agentWithPin(store, () => '{ credential = "token-pin" }');
    const credentials = path.join(agent.folder, 'credentials');
    mkdirSync(credentials, { mode: 0o700 });
    writeFileSync(path.join(credentials, 'token-pin'), PIN, { mode: 0o400 });
    const environment = { ...agent.environment, CREDENTIALS_DIRECTORY: credentials };
    await agent.must(['agent', 'start', '--allow-root'], { environment });
    await outcomeSoon(agent, 'signed');
  });
});

/** Restarts, and waits until so many unlocks in all were refused. */
async function restarted(agent: FaultyAgent, refusals: number): Promise<void> {
  await agent.stop();
  await agent.start();
  await expect
    .poll(() => actsNamed(agent.stateDir, 'unlock-refused').length, { timeout: 45_000 })
    .toBe(refusals);
}

it.each([
  { name: 'reveals', plan: {} },
  { name: 'hides', plan: { tries: 'hidden' } },
])('a token that $name its PIN counter gets a wrong PIN from the configuration once', async ({ plan }) => {
  await using agent = new FaultyAgent();
  await agent.prepare([`pin = { file = "${agent.writePin('wrong', '111111')}" }`]);
  agent.module.behave(plan);
  for (let start = 1; start <= 3; start += 1) await restarted(agent, start);
  expect(agent.logins).toBe(1);
  const codes = actsNamed(agent.stateDir, 'unlock-refused').map(({ code }) => code);
  expect(codes).toEqual(['token.pin-incorrect', 'token.pin-known-wrong', 'token.pin-known-wrong']);
});

it('the PIN from the configuration is sent again after somebody unlocked by hand', async () => {
  await using agent = new FaultyAgent();
  const file = agent.writePin('configured', '111111');
  await agent.prepare([`pin = { file = "${file}" }`]);
  agent.module.behave({ tries: 'hidden' });
  await restarted(agent, 1);
  writeFileSync(file, `${FAULTY_PIN}\n`);
  await restarted(agent, 2);
  expect(agent.logins).toBe(1);
  const byHand = await agent.touchstone(['unlock', '--json', '--pin-file', file]);
  expect(byHand.stdout).toContain('keyring.other-token');
  await restarted(agent, 4);
  expect(agent.logins).toBe(3);
});

it('no PIN is sent after a start in which nobody learned what became of it', async () => {
  await using agent = new FaultyAgent();
  await agent.prepare([`pin = { file = "${agent.writePin('right', FAULTY_PIN)}" }`]);
  agent.module.behave({ tries: 'hidden', C_Login: 'hang' });
  const keeper = await agent.start();
  await expect.poll(() => agent.logins, { timeout: 45_000 }).toBe(1);
  process.kill(keeper, 'SIGKILL');
  agent.module.change({ tries: 'hidden' });
  await restarted(agent, 1);
  expect(actsNamed(agent.stateDir, 'unlock-refused')).toMatchObject([{ code: 'token.pin-known-wrong' }]);
  expect(agent.logins).toBe(1);
});
