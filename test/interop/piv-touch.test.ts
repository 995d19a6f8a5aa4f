/** Requests that wait for a finger on a YubiKey: they share touches where that is safe, can be taken back, and end. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentClient } from '../../src/client/client.js';
import type { StatementToSign } from '../../src/client/signer.js';
import { sealPin } from '../../src/client/unlock.js';
import type { AgentEvent } from '../../src/protocol/events.js';
import { AgentError, asAgentError } from '../../src/errors/agent-error.js';
import { connectTo, isSignatureOf, outcomeOf, signOne } from '../support/agent-client.js';
import { actsNamed, auditLines } from '../support/audit-acts.js';
import { ROOT_KEY, rootStatement } from '../support/card-root.js';
import { CARD_PIN, ownedCard, PivAgent } from '../support/piv-agent.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';

const TOGETHER = 6;
/** As short as a card may be for the agent to take it for one that nobody touched, milliseconds. */
const CARD_WAITS_MS = 10_500;
const NOTICED = { timeout: 10_000, interval: 20 };

let desk: YubiKeyDesk;
let agent: PivAgent;
let client: AgentClient;
let others: AgentClient[];

beforeEach(async () => {
  const card = ownedCard({ policies: { pin: 'once', touch: 'always' }, derivationTouch: 'always' });
  card.touch.timeoutMs = CARD_WAITS_MS;
  desk = await YubiKeyDesk.start([card]);
  agent = new PivAgent();
  await agent.begin(desk);
  expect((await agent.adopt()).status).toBe(0);
  await agent.must(['lock']);
  expect((await agent.unlockCard('--key', ROOT_KEY)).status).toBe(0);
  client = await connectTo(agent);
  others = [];
});
afterEach(async () => {
  for (const each of [client, ...others]) each.close();
  await agent[Symbol.asyncDispose]();
  await desk[Symbol.asyncDispose]();
});

async function anotherClient(): Promise<AgentClient> {
  const other = await connectTo(agent);
  others.push(other);
  return other;
}

/** A request that the keeper has received: what a connection sends is taken in order. */
async function sent(
  from: AgentClient,
  statement: StatementToSign,
): Promise<{ readonly outcome: Promise<string> }> {
  const outcome = outcomeOf(from, statement);
  await from.call('status', {});
  return { outcome };
}

/** Closes a connection, and waits until the keeper has taken back what it had asked for. */
async function leave(leaving: AgentClient): Promise<void> {
  leaving.close();
  const cancelled = (): boolean => auditLines(agent.stateDir).some(({ code }) => code === 'limits.cancelled');
  await expect.poll(cancelled, NOTICED).toBe(true);
  await client.call('status', {});
}

describe('requests for the same bytes', () => {
  it('share one touch, and each is counted and logged for itself', async () => {
    const { touch } = desk.key;
    const statement = await rootStatement(client);
    const before = touch.used;
    touch.never();
    const clients = await Promise.all(Array.from({ length: TOGETHER }, anotherClient));
    const signing = clients.map(async (each) => {
      const signed = signOne(each, statement);
      await each.call('status', {});
      return { signed };
    });
    const begun = await Promise.all(signing);
    await touch.wanted();
    touch.give();
    const signed = await Promise.all(begun.map((each) => each.signed));
    expect(touch.used - before).toBe(1);
    const { publicKey } = (await client.call('keys.show', { key: ROOT_KEY })).key;
    expect(signed.map((each) => isSignatureOf(publicKey, statement, each))).toEqual(signed.map(() => true));
    const orders = auditLines(agent.stateDir).flatMap(({ type, order }) => (type === 'sign' ? [order] : []));
    expect(new Set(orders.slice(-TOGETHER)).size).toBe(TOGETHER);
    await agent.must(['audit', 'verify']);
  });

  it('go on for the others when one of them is taken back', async () => {
    const { touch } = desk.key;
    const [blocking, shared] = [await rootStatement(client), await rootStatement(client, 'docker.io/acme/b')];
    const [leaving, staying] = [await anotherClient(), await anotherClient()];
    const before = touch.used;
    touch.never();
    const first = await sent(client, blocking);
    await touch.wanted();
    await sent(leaving, shared);
    const second = await sent(staying, shared);
    await leave(leaving);
    touch.give();
    expect(await first.outcome).toBe('signed');
    await touch.wanted();
    touch.give();
    expect([await second.outcome, touch.used - before]).toEqual(['signed', 2]);
  });
});

describe('a request that waits behind a touch', () => {
  it('leaves the queue with its client, and costs no touch', async () => {
    const { touch } = desk.key;
    const [one, two, three] = await Promise.all(
      ['a', 'b', 'c'].map((name) => rootStatement(client, `docker.io/acme/${name}`)),
    );
    if (one === undefined || two === undefined || three === undefined) throw new Error('no statements');
    const [leaving, staying] = [await anotherClient(), await anotherClient()];
    const before = touch.used;
    touch.never();
    const first = await sent(client, one);
    await touch.wanted();
    await sent(leaving, two);
    const last = await sent(staying, three);
    await leave(leaving);
    touch.give();
    expect(await first.outcome).toBe('signed');
    await touch.wanted();
    touch.give();
    expect([await last.outcome, touch.used - before]).toEqual(['signed', 2]);
  });

  it('is not held up by a client that goes while the card blinks for it', async () => {
    const { touch } = desk.key;
    const [gone, next] = [await rootStatement(client), await rootStatement(client, 'docker.io/acme/b')];
    const leaving = await anotherClient();
    touch.never();
    await sent(leaving, gone);
    await touch.wanted();
    leaving.close();
    const waiting = await sent(client, next);
    touch.give();
    await touch.wanted();
    touch.give();
    expect(await waiting.outcome).toBe('signed');
  });

  it('takes its PIN back with its client', async () => {
    const { touch } = desk.key;
    const leaving = await anotherClient();
    const before = desk.key.counters.pinAttempts;
    const readPin = (): Promise<Buffer> => Promise.resolve(Buffer.from(CARD_PIN));
    const { pin } = await sealPin(leaving, 'key', readPin);
    touch.never();
    const derived = client.call('keys.derive', { key: 'docker.io/acme/app#cosign' });
    await touch.wanted();
    const unlocking = leaving.call('unlock.finish', { pin }).catch((error: unknown) => asAgentError(error));
    await leaving.call('status', {});
    leaving.close();
    expect(await unlocking).toBeInstanceOf(AgentError);
    await client.call('status', {});
    touch.give();
    await derived;
    await client.call('tokens.list', {});
    await expect
      .poll(() => actsNamed(agent.stateDir, 'unlock-refused').at(-1), { timeout: 10_000 })
      .toMatchObject({ code: 'limits.cancelled' });
    expect(desk.key.counters.pinAttempts).toBe(before);
  });
});

describe('a touch that never comes', () => {
  it('ends as such, and the next request works without another PIN: signing, and deriving with slot 82', async () => {
    const card = desk.key;
    const before = card.counters.pinAttempts;
    const statement = await rootStatement(client);
    const events: AgentEvent[] = [];
    client.onEvent((event) => {
      events.push(event);
    });
    await client.call('events.subscribe', {});
    card.touch.never();
    expect(await outcomeOf(client, statement)).toBe('token.touch-timeout');
    expect(events).toContainEqual({ event: 'touch-needed', token: 'key', secondsLeft: 15 });
    const untouched = await agent.touchstone(['key', 'derive', 'docker.io/acme/app#cosign']);
    expect([untouched.status, untouched.stderr]).toEqual([7, expect.stringContaining('not touched in time')]);
    card.touch.afterMs = 0;
    expect(await outcomeOf(client, statement)).toBe('signed');
    await agent.must(['key', 'derive', 'docker.io/acme/app#cosign']);
    expect(card.counters.pinAttempts).toBe(before);
  }, 60_000);
});
