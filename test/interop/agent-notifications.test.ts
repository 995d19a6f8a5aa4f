/** What a person hears while something waits for them: desktop notifications on a real session bus, events, lines of the command. */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectTo } from '../support/agent-client.js';
import { BackgroundProgram } from '../support/background-program.js';
import { TOUCHSTONE, type DemoAgent } from '../support/demo-agent.js';
import { NotificationDesk } from '../support/notification-daemon.js';
import { agentOver } from '../support/own-token-agent.js';
import { ownedCard, PivAgent } from '../support/piv-agent.js';
import { assuanScript } from '../support/prompt-script.js';
import { rejectionOf } from '../support/rejection.js';
import { SoftHsmStore } from '../support/softhsm-store.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';

/** The driver finds a reader, so to say, with nothing in it. */
function takeAway({ tokens }: SoftHsmStore): void {
  renameSync(tokens, `${tokens}-away`);
  mkdirSync(tokens);
}

function bringBack({ tokens }: SoftHsmStore): void {
  rmSync(tokens, { recursive: true });
  renameSync(`${tokens}-away`, tokens);
}

const NOTICED = { timeout: 10_000, interval: 50 };

describe('a token that is not there', () => {
  const store = new SoftHsmStore('release');
  let desk: NotificationDesk;
  let agent: DemoAgent;
  let isAway = false;
  beforeAll(async () => {
    desk = await NotificationDesk.start();
    agent = await agentOver({ name: 'release', store });
    Object.assign(agent.environment, desk.session.environment);
    await agent.start();
    await agent.setUpToken();
    await agent.must(['lock']);
  });
  afterEach(comeBack);
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await desk[Symbol.asyncDispose]();
    store[Symbol.dispose]();
  });

  function goAway(): void {
    takeAway(store);
    isAway = true;
  }

  function comeBack(): void {
    if (isAway) bringBack(store);
    isAway = false;
  }

  function unlock(...argv: readonly string[]): Promise<BackgroundProgram> {
    return BackgroundProgram.start({
      program: process.execPath,
      argv: [TOUCHSTONE, 'unlock', '--pin-file', agent.pinFile, '--quiet', ...argv],
      environment: agent.environment,
      isReady: (output) => output.includes('insert token'),
    });
  }

  it('is waited for, said on the terminal and on the desktop, and unlocked when it comes', async () => {
    goAway();
    const before = desk.calls.length;
    await using waiting = await unlock('--wait', '60s');
    expect(waiting.output).toMatch(/^touchstone: insert token "release": waits \d+ s for it\n$/);
    await expect
      .poll(() => desk.shown.at(-1), NOTICED)
      .toBe('Insert a token: A command waits for token release.');
    comeBack();
    await expect.poll(() => waiting.output, NOTICED).toContain('token "release" unlocked');
    await expect.poll(() => desk.closed, NOTICED).toBe(1);
    expect(desk.calls.slice(before)).toHaveLength(2);
    await agent.must(['lock']);
  });

  it('is an error when it does not come by then, and at once where nobody wants to wait', async () => {
    goAway();
    const late = await agent.touchstone(['unlock', '--pin-file', agent.pinFile, '--wait', '2s']);
    expect([late.status, late.stderr]).toEqual([4, expect.stringContaining('insert token "release"')]);
    const now = await agent.touchstone(['unlock', '--pin-file', agent.pinFile]);
    expect([now.status, now.stderr]).toEqual([4, expect.not.stringContaining('insert token "release"')]);
    expect(now.stderr).toContain('touchstone unlock --wait 60s');
  });

  it('is waited for no longer than its caller waits', async () => {
    goAway();
    using other = await connectTo(agent);
    await other.call('events.subscribe', {});
    const heard: string[] = [];
    other.onEvent((event) => heard.push(event.event));
    const closed = desk.closed;
    const waiting = await unlock('--wait', '10m');
    await expect.poll(() => heard, NOTICED).toContain('token-absent');
    await waiting.stop('SIGINT');
    await expect.poll(() => desk.closed, NOTICED).toBe(closed + 1);
    const call = other.call('unlock.begin', { waitSeconds: 601 });
    expect(await rejectionOf(call)).toMatchObject({ code: 'usage.invalid' });
  });
});

describe('notifications', () => {
  it('say that a PIN is asked for, by whom, and go with the prompt', async () => {
    await using desk = await NotificationDesk.start();
    using store = new SoftHsmStore('release');
    using script = assuanScript('');
    const pin = `pin = { pinentry = "${script.path}" }`;
    await using agent = await agentOver({ name: 'release', store, lines: [pin] });
    Object.assign(agent.environment, desk.session.environment);
    await agent.start();
    await agent.setUpToken();
    const client = await connectTo(agent);
    const { attempt } = await client.call('unlock.begin', {});
    const asking = client.call('unlock.ask', { attempt, place: {} }).catch(() => undefined);
    const who = `uid ${process.getuid?.() ?? 0}, process ${process.pid}`;
    const words = `A PIN is asked for: Token release is to be unlocked, for ${who}.`;
    await expect.poll(() => desk.shown, NOTICED).toEqual([words]);
    client.close();
    await asking;
    await expect.poll(() => desk.closed, NOTICED).toBe(1);
  });

  it('say that a key wants a touch, unless they are not wanted', async () => {
    await using desk = await NotificationDesk.start();
    const card = ownedCard({ derivationTouch: 'always' });
    await using keys = await YubiKeyDesk.start([card]);
    await using agent = new PivAgent();
    Object.assign(agent.environment, desk.session.environment);
    await agent.begin(keys);
    keys.key.touch.afterMs = 1_000;
    expect((await agent.adopt()).status).toBe(0);
    await expect
      .poll(() => desk.shown, NOTICED)
      .toContain('Touch the YubiKey: Token key waits for your finger.');
    const [first] = desk.calls;
    expect(first?.values.slice(-1)).toEqual([15_000]);
    await agent.stop();
    const before = desk.calls.length;
    agent.configure((toml) => `notifications = false\n${toml}`);
    await agent.start();
    const unlocked = await agent.unlockCard();
    expect([unlocked.status, unlocked.stderr]).toEqual([0, expect.stringContaining('touch the YubiKey now')]);
    expect(desk.calls).toHaveLength(before);
  });

  it('that nobody shows keep nothing waiting', async () => {
    await using desk = await NotificationDesk.start();
    await desk.session[Symbol.asyncDispose]();
    using store = new SoftHsmStore('release');
    await using agent = await agentOver({ name: 'release', store });
    Object.assign(agent.environment, desk.session.environment);
    await agent.start();
    await agent.setUpToken();
    await agent.must(['lock']);
    takeAway(store);
    const late = await agent.touchstone(['unlock', '--pin-file', agent.pinFile, '--wait', '2s']);
    expect([late.status, late.stderr]).toEqual([4, expect.stringContaining('insert token "release"')]);
    bringBack(store);
    expect((await agent.unlock()).length).toBeGreaterThan(0);
  });
});
