/** `token setup` of a card at a terminal: what a person is asked, in which order, and what does not show. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TOUCHSTONE } from '../support/demo-agent.js';
import { CARD_PIN, PivAgent } from '../support/piv-agent.js';
import { reference } from '../support/virtual-yubikey/bare-applet.js';
import { ALGORITHM, generateKey } from '../support/virtual-yubikey/card-key.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';
import { YubiKey } from '../support/virtual-yubikey/yubikey.js';
import { TerminalSession } from '../support/terminal-session.js';

const PUK = '87654321';

let desk: YubiKeyDesk;
let agent: PivAgent;

/** A card from the factory with somebody's key in 9C. */
async function begin(): Promise<void> {
  const card = new YubiKey();
  const key = generateKey(ALGORITHM.p256);
  card.state.keys.set(0x9c, { key, policies: { pin: 'always', touch: 'never' }, origin: 'imported' });
  desk = await YubiKeyDesk.start([card]);
  await agent.begin(desk);
}

function setUp(...argv: readonly string[]): TerminalSession {
  const words = [process.execPath, TOUCHSTONE, 'token', 'setup', ...argv];
  return new TerminalSession(words.map((word) => `'${word}'`).join(' '), agent.environment);
}

beforeEach(() => {
  agent = new PivAgent();
});
afterEach(async () => {
  await agent[Symbol.asyncDispose]();
  await desk[Symbol.asyncDispose]();
});

describe('a person who sets up a card', () => {
  it('reads the plan, agrees to what is lost, and types PIN and PUK twice', async () => {
    await begin();
    await using session = setUp('--derivation-touch', 'never');
    await session.waitFor('Type the serial number (14700001) to lose what is in slot 9c: ');
    expect(session.shown).toContain('slot 9c: the root key is made on the card');
    expect(session.shown).toContain('NO TOUCH: any program of this computer can derive every key');
    session.type('14700001\r');
    await session.waitFor('Type "any program can derive" to go on without a touch: ');
    session.type('any program can derive\r');
    await session.waitFor('New PIN for token "YubiKey PIV #14700001"');
    session.type(`${CARD_PIN}\r`);
    await session.waitFor('The same PIN again: ');
    session.type(`${CARD_PIN}\r`);
    await session.waitFor('New PUK for token "YubiKey PIV #14700001"');
    session.type(`${PUK}\r`);
    await session.waitFor('The same PUK again: ');
    session.type(`${PUK}\r`);
    expect(await session.ended()).toBe(0);
    expect([session.shown.includes(CARD_PIN), session.shown.includes(PUK)]).toEqual([false, false]);
    const { state } = desk.key;
    state.pin.check(reference(CARD_PIN));
    state.puk.check(reference(PUK));
    expect([state.storedKey(0x9c).policies.touch, state.storedKey(0x82).policies.touch]).toEqual([
      'always',
      'never',
    ]);
  });

  it('changes nothing by typing another serial number, or two PINs that differ', async () => {
    await begin();
    await using first = setUp();
    await first.waitFor('to lose what is in slot 9c: ');
    first.type('14700002\r');
    expect(await first.ended()).toBe(2);
    await using second = setUp('--confirm', '14700001');
    for (let entry = 1; entry <= 3; entry += 1) {
      await second.waitFor('New PIN for token', entry);
      second.type('111222\r');
      await second.waitFor('The same PIN again: ', entry);
      second.type('222111\r');
    }
    expect(await second.ended()).toBe(4);
    expect(second.shown).toContain('the two entries differ');
    const { state, counters } = desk.key;
    expect([state.pin.isFactory, state.puk.isFactory, state.management.isFactory]).toEqual([
      true,
      true,
      true,
    ]);
    expect([counters.pinAttempts, state.storedKey(0x9c).origin, state.keys.has(0x82)]).toEqual([
      0,
      'imported',
      false,
    ]);
  });
});
