/** A YubiKey among other programs, and what the agent says of it: states, a card that is busy, one that nobody uses. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentClient } from '../../src/client/client.js';
import { connectTo, outcomeOf } from '../support/agent-client.js';
import { ROOT_KEY, rootStatement } from '../support/card-root.js';
import { ownedCard, PivAgent } from '../support/piv-agent.js';
import { rejectionOf } from '../support/rejection.js';
import { INS } from '../support/virtual-yubikey/apdu.js';
import { PcscClient } from '../support/virtual-yubikey/pcsc-client.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';

const NOTICED = { timeout: 20_000, interval: 100 };
const GLANCES = 10;

let desk: YubiKeyDesk;
let agent: PivAgent;
let client: AgentClient;

async function begin(lines: readonly string[] = []): Promise<void> {
  await agent.begin(desk, lines);
  expect((await agent.adopt()).status).toBe(0);
  await agent.must(['lock']);
  client = await connectTo(agent);
}

async function state(glance = false): Promise<string | undefined> {
  return (await client.call('tokens.list', { glance })).tokens[0]?.state;
}

beforeEach(async () => {
  desk = await YubiKeyDesk.start([ownedCard()]);
  agent = new PivAgent();
});
afterEach(async () => {
  client.close();
  await agent[Symbol.asyncDispose]();
  await desk[Symbol.asyncDispose]();
});

describe('states', () => {
  it('follow the card, its service and another card, without a restart of the agent', async () => {
    await begin();
    const card = desk.key;
    expect(await state()).toBe('identified');
    desk.reader.remove();
    await expect.poll(state, NOTICED).toBe('absent');
    desk.reader.insert(ownedCard({}, { serial: 7 }));
    await desk.reader.powered();
    const [missed] = (await client.call('tokens.list', {})).tokens;
    expect(missed?.state).toBe('absent');
    expect(missed?.reason?.message).toMatch(/it is not connected; connected: 7$/);
    desk.reader.insert(ownedCard());
    await desk.reader.powered();
    const [strange] = (await client.call('tokens.list', {})).tokens;
    expect([strange?.state, strange?.reason?.code]).toEqual(['present', 'keyring.other-token']);
    desk.reader.insert(card);
    await desk.reader.powered();
    await desk.stopDaemon();
    expect(await state()).toBe('absent');
    await desk.startDaemon();
    await desk.reader.powered();
    await expect.poll(state, NOTICED).toBe('identified');
    expect((await agent.unlockCard('--key', ROOT_KEY)).status).toBe(0);
    expect(await state()).toBe('unlocked');
    // As after a sleep: the card has lost its power, and nobody has told.
    card.powerCycle();
    expect(await outcomeOf(client, await rootStatement(client))).toBe('token.locked');
    expect(await state()).toBe('identified');
  });

  it('come back by themselves after errors of the card', async () => {
    await begin();
    expect(await state()).toBe('identified');
    desk.key.fail(INS.getVersion, 0x6f00);
    expect(await state()).toBe('absent');
    expect(await state()).toBe('identified');
  });
});

describe('another program', () => {
  it('that holds the card for itself is named, and the card is back as soon as it ends', async () => {
    await begin();
    const other = await PcscClient.connect(desk, { mode: 'exclusive' });
    try {
      const { code, hint } = await rejectionOf(client.call('unlock.begin', { token: 'key' }));
      expect([code, hint]).toEqual(['token.busy', expect.stringContaining('pcsc-client (pid')]);
    } finally {
      await other[Symbol.asyncDispose]();
    }
    expect((await agent.unlockCard()).status).toBe(0);
  });

  it('that is in the middle of a transaction is not waited for without a limit', async () => {
    await begin();
    await using other = await PcscClient.connect(desk);
    await other.beginTransaction();
    expect((await rejectionOf(client.call('unlock.begin', { token: 'key' }))).code).toBe('token.busy');
    await other.endTransaction();
    expect((await agent.unlockCard()).status).toBe(0);
  });

  it('has the card to itself while somebody only watches', async () => {
    await begin();
    await state();
    const before = desk.key.counters.total;
    for (let look = 0; look < GLANCES; look += 1) expect(await state(true)).toBe('identified');
    expect(desk.key.counters.total).toBe(before);
  });

  it('gets the card back that nobody has used for a while', async () => {
    await begin(['release-after = 1']);
    expect((await agent.unlockCard('--key', ROOT_KEY)).status).toBe(0);
    expect(await outcomeOf(client, await rootStatement(client))).toBe('signed');
    await expect.poll(() => desk.key.state.isPinVerified, NOTICED).toBe(false);
    await expect.poll(() => state(true), NOTICED).toBe('identified');
    await using other = await PcscClient.connect(desk, { mode: 'exclusive' });
    expect((await other.transmit('00a4040005a000000308')).code).toBe('0');
    expect(await outcomeOf(client, await rootStatement(client))).toBe('key.locked');
  });
});
