/** Tries of a YubiKey's PIN that nobody entered at the agent: what sends them, and what the agent makes of it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentClient } from '../../src/client/client.js';
import type { AgentEvent } from '../../src/protocol/events.js';
import { connectTo, outcomeOf } from '../support/agent-client.js';
import { auditLines } from '../support/audit-acts.js';
import { ROOT_KEY, rootStatement } from '../support/card-root.js';
import { CARD_PIN, ownedCard, PivAgent } from '../support/piv-agent.js';
import { NativeChild } from '../support/native-child.js';
import { reference } from '../support/virtual-yubikey/bare-applet.js';
import { INS } from '../support/virtual-yubikey/apdu.js';
import { PcscClient } from '../support/virtual-yubikey/pcsc-client.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';
import { YKCS11_MODULE, Ykcs11Process } from '../support/virtual-yubikey/ykcs11-process.js';

const NEW_PIN = '314159';
const SERIAL = '14700001';

let desk: YubiKeyDesk;
let agent: PivAgent;
let client: AgentClient;
let events: AgentEvent[];

beforeEach(async () => {
  desk = await YubiKeyDesk.start([ownedCard()]);
  agent = new PivAgent();
  await agent.begin(desk);
  expect((await agent.adopt()).status).toBe(0);
  await agent.must(['lock']);
  client = await connectTo(agent);
  events = [];
  client.onEvent((event) => {
    events.push(event);
  });
  await client.call('events.subscribe', {});
});
afterEach(async () => {
  client.close();
  await agent[Symbol.asyncDispose]();
  await desk[Symbol.asyncDispose]();
});

interface Ledger {
  readonly tokens: Readonly<
    Record<
      string,
      { readonly left?: number; readonly attempts: readonly Readonly<Record<string, unknown>>[] }
    >
  >;
}

function ledger(): Ledger['tokens'][string] {
  const text = readFileSync(path.join(agent.stateDir, 'pin-ledger.json'), 'utf8');
  return (JSON.parse(text) as Ledger).tokens[SERIAL] ?? { attempts: [] };
}

function alerts(): readonly AgentEvent[] {
  return events.filter(({ event }) => event === 'pin-alert');
}

async function openCard(): Promise<void> {
  expect((await agent.unlockCard('--key', ROOT_KEY)).status).toBe(0);
  expect(desk.key.state.isPinVerified).toBe(true);
}

describe('the ledger', () => {
  it('holds the counter of the card before and after each entry', async () => {
    await agent.unlockCard('--pin-file', agent.writePin('wrong', '999999'));
    await openCard();
    const { left, attempts } = ledger();
    expect(left).toBe(3);
    expect(attempts.slice(-2)).toMatchObject([
      { outcome: 'wrong', leftBefore: 3, leftAfter: 2 },
      { outcome: 'correct', leftBefore: 2, leftAfter: 3 },
    ]);
    expect(attempts.length).toBe(desk.key.counters.pinAttempts);
  });
});

describe('another program', () => {
  it('that spends tries is noticed at the next look, shown until the PIN is entered right, and kept in the log', async () => {
    await using other = await Ykcs11Process.start(desk);
    await other.call('open');
    expect((await other.call('login', '000000')).rv).toBe('CKR_PIN_INCORRECT');
    const list = await agent.must(['token', 'list']);
    expect(list).toContain('2 of 3');
    expect(list).toContain('another program sent a wrong PIN');
    expect(alerts()).toEqual([
      { event: 'pin-alert', token: 'key', serial: SERIAL, by: 'other', before: 3, after: 2 },
    ]);
    expect(ledger().attempts.at(-1)).toMatchObject({
      outcome: 'foreign-attempt',
      leftBefore: 3,
      leftAfter: 2,
    });
    expect(auditLines(agent.stateDir).at(-1)).toMatchObject({
      act: 'pin-alert',
      facts: { serial: SERIAL, by: 'other', before: 3, after: 2 },
    });
    expect(await agent.must(['token', 'show'])).toContain('another program sent a wrong PIN');
    const doctor = await agent.touchstone(['doctor']);
    expect(doctor.stdout).toContain('another program sent a wrong PIN');
    // Told once, not at every look.
    await agent.must(['token', 'list']);
    expect(alerts()).toHaveLength(1);
    await openCard();
    expect(await agent.must(['token', 'list'])).not.toContain('another program');
  });

  it('that logs the card out gets no PIN out of the driver: the agent has to be unlocked again', async () => {
    await openCard();
    const statement = await rootStatement(client);
    expect(await outcomeOf(client, statement)).toBe('signed');
    await using other = await PcscClient.connect(desk);
    const before = desk.key.counters.pinAttempts;
    await other.resetCard();
    expect(await outcomeOf(client, statement)).toBe('token.locked');
    expect(desk.key.counters.pinAttempts).toBe(before);
    expect(alerts()).toEqual([]);
    await openCard();
    expect(await outcomeOf(client, statement)).toBe('signed');
  });

  it('that spends a try while the agent is logged in ends that login', async () => {
    await openCard();
    const statement = await rootStatement(client);
    const before = desk.key.counters.pinAttempts;
    desk.key.losePinState();
    expect(() => {
      desk.key.state.pin.check(reference('888888'));
    }).toThrow();
    expect(await outcomeOf(client, statement)).toBe('token.pin-alert');
    expect(desk.key.counters.pinAttempts).toBe(before);
    expect(alerts()).toMatchObject([{ by: 'other', before: 3, after: 2 }]);
    expect(await outcomeOf(client, statement)).toBe('key.locked');
  });
});

/** Logs in with the driver, then has its PIN changed by another program in the middle of what the driver is about to do. */
const DRIVER_AT_WORK = `
import { execFileSync } from 'node:child_process';
const at = (file) => import(process.cwd() + '/dist/token/yubikey-piv/' + file);
const { findCard } = await at('find-card.js');
const { PinWatch } = await at('pin-watch.js');
const { ROOT_SLOT } = await at('piv-slots.js');
const { Ykcs11 } = await at('ykcs11.js');
const [serial, module, before, after] = process.argv.slice(1);
const card = findCard(serial);
const driver = new Ykcs11(module, serial);
driver.login(Buffer.from(before));
const watch = new PinWatch(card);
const giveUp = () => driver[Symbol.dispose]();
const sign = () => driver.sign(ROOT_SLOT, 'ecdsa', Buffer.alloc(32, 1));
const changing = () => {
  execFileSync('yubico-piv-tool', ['-a', 'change-pin', '-P', before, '-N', after], { stdio: 'ignore' });
  return sign();
};
say(watch.during(sign, giveUp).length);
try {
  say(watch.during(changing, giveUp).length);
} catch ({ code, details }) {
  say({ code, details });
}
`;

describe('libykcs11', () => {
  it('that sends the old PIN by itself is found out', async () => {
    const card = desk.key;
    await using child = new NativeChild(DRIVER_AT_WORK, {
      env: desk.environment,
      args: [SERIAL, YKCS11_MODULE, CARD_PIN, NEW_PIN],
    });
    expect(await child.heard()).toBe(64);
    expect(await child.heard()).toEqual({
      code: 'token.pin-alert',
      details: { serial: SERIAL, by: 'driver', before: 3, after: 2 },
    });
    expect(card.state.pin.triesLeft).toBe(2);
  });

  it('is named in ledger, log and list, and the host that loaded it ends', async () => {
    await openCard();
    const statement = await rootStatement(client);
    const card = desk.key;
    // What the driver does is not the agent's to see, only what became of the counter.
    card.once(INS.authenticate, 'after', () => {
      card.losePinState();
      expect(() => {
        card.state.pin.check(reference(NEW_PIN));
      }).toThrow();
    });
    expect(await outcomeOf(client, statement)).toBe('token.pin-alert');
    expect(alerts()).toMatchObject([{ by: 'driver', before: 3, after: 2 }]);
    expect(ledger().attempts.at(-1)).toMatchObject({ outcome: 'driver-attempt' });
    expect(await agent.must(['token', 'list'])).toContain('the driver sent a PIN by itself');
    expect(await outcomeOf(client, statement)).toBe('key.locked');
  });
});
