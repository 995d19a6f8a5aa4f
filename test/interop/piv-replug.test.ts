/** A YubiKey that is pulled and put back at random moments, and a PIN that is wrong again and again. */
import { setTimeout as delay } from 'node:timers/promises';
import { randomInt } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentClient } from '../../src/client/client.js';
import { unlockToken } from '../../src/client/unlock.js';
import { AgentError } from '../../src/errors/agent-error.js';
import { connectTo } from '../support/agent-client.js';
import { CARD_PIN, ownedCard, PivAgent } from '../support/piv-agent.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';

const CYCLES = 20;
const WRONG_PINS = 100;
const LONGEST_PAUSE_MS = 500;
const RECOVERY_TRIES = 50;

let desk: YubiKeyDesk;
let agent: PivAgent;
let client: AgentClient;
let entries = 0;

/** One entry of a PIN; answers `unlocked`, or the code of the error. */
async function enter(pin = CARD_PIN): Promise<string> {
  try {
    const readPin = (): Promise<Buffer> => {
      entries += 1;
      return Promise.resolve(Buffer.from(pin));
    };
    await unlockToken(client, { token: 'key', readPin, lease: {}, timeoutMs: 30_000 });
    return 'unlocked';
  } catch (error) {
    if (error instanceof AgentError) return error.code;
    throw error;
  }
}

beforeEach(async () => {
  entries = 0;
  desk = await YubiKeyDesk.start([ownedCard()]);
  agent = new PivAgent();
  await agent.begin(desk);
  expect((await agent.adopt()).status).toBe(0);
  for (const name of ['a', 'b', 'c', 'd']) await agent.derive(`docker.io/acme/${name}#cosign`);
  await agent.must(['lock']);
  client = await connectTo(agent);
});
afterEach(async () => {
  client.close();
  await agent[Symbol.asyncDispose]();
  await desk[Symbol.asyncDispose]();
});

describe('a YubiKey under load', () => {
  it('ends every request, comes back by itself, and gets no PIN that nobody entered', async () => {
    const card = desk.key;
    const before = card.counters.pinAttempts;
    const outcomes = new Set<string>();
    for (let cycle = 0; cycle < CYCLES; cycle += 1) {
      const request = enter();
      await delay(randomInt(LONGEST_PAUSE_MS));
      desk.reader.remove();
      outcomes.add(await request);
      desk.reader.insert(card);
      await desk.reader.powered();
      let recovered = await enter();
      for (let again = 0; again < RECOVERY_TRIES && recovered !== 'unlocked'; again += 1)
        recovered = await enter();
      expect(recovered).toBe('unlocked');
    }
    expect([...outcomes].filter((code) => code !== 'unlocked' && !code.startsWith('token.'))).toEqual([]);
    expect(card.counters.pinAttempts - before).toBeLessThanOrEqual(entries);
    expect(card.counters.wrongPins).toBe(0);
  }, 300_000);

  it('spends one try for a PIN that is entered wrong a hundred times', async () => {
    const outcomes = new Set<string>();
    for (let entry = 0; entry < WRONG_PINS; entry += 1) outcomes.add(await enter('999999'));
    expect([...outcomes]).toEqual(['token.pin-incorrect', 'token.pin-known-wrong']);
    expect([desk.key.counters.wrongPins, desk.key.state.pin.triesLeft]).toEqual([1, 2]);
  }, 300_000);
});
