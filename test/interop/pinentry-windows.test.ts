/** Pinentries with windows, on a display that nobody sees: the real programs, typed at. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { actsNamed } from '../support/audit-acts.js';
import { BackgroundProgram } from '../support/background-program.js';
import { TOUCHSTONE, type CommandResult, type DemoAgent } from '../support/demo-agent.js';
import { DesktopSession } from '../support/desktop-session.js';
import { agentOver } from '../support/own-token-agent.js';
import { PIN, SoftHsmStore } from '../support/softhsm-store.js';
import { VirtualDisplay } from '../support/virtual-display.js';

const NOTICED = { timeout: 10_000, interval: 50 };
/** pinentry-gnome3 has the desktop's own prompter ask. */
const PROMPTER = { 'org.gnome.keyring.SystemPrompter': '/usr/libexec/gcr-prompter' };

describe.each(['pinentry-gtk-2', 'pinentry-gnome3'])('%s', (flavour) => {
  let display: VirtualDisplay;
  let session: DesktopSession;
  let store: SoftHsmStore;
  let agent: DemoAgent;
  beforeAll(async () => {
    display = await VirtualDisplay.start();
    session = await DesktopSession.start({ display: display.name, services: PROMPTER });
    store = new SoftHsmStore('release');
    const pin = `pin = { pinentry = "/usr/bin/${flavour}" }`;
    agent = await agentOver({ name: 'release', store, lines: [pin] });
    Object.assign(agent.environment, session.environment, {
      DISPLAY: undefined,
      WAYLAND_DISPLAY: undefined,
      GPG_TTY: undefined,
    });
    await agent.start();
    await agent.setUpToken();
  });
  beforeEach(async () => {
    await agent.must(['lock']);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await session[Symbol.asyncDispose]();
    await display[Symbol.asyncDispose]();
    store[Symbol.dispose]();
  });

  /** At the desktop, without a terminal. */
  function unlock(): Promise<CommandResult> {
    const environment = { ...agent.environment, DISPLAY: display.name };
    return agent.touchstone(['unlock'], { environment, timeoutMs: 60_000 });
  }

  /** Gives the window the keyboard, once it is there. */
  async function asked(unlocking: Promise<CommandResult>): Promise<void> {
    const early = unlocking.then(({ stderr }) => {
      throw new Error(`it ended without a window: ${stderr}`);
    });
    await Promise.race([display.focus(), early]);
  }

  it('asks in a window on the display of who asks', async () => {
    const unlocking = unlock();
    await asked(unlocking);
    await display.type(PIN);
    await display.press('Return');
    expect(await unlocking).toMatchObject({ status: 0 });
    await expect
      .poll(() => actsNamed(agent.stateDir, 'unlock').at(-1), { timeout: 10_000 })
      .toMatchObject({ token: 'release', by: 'prompt' });
    await expect.poll(() => display.hasWindow(), NOTICED).toBe(false);
  });

  it('can be cancelled there', async () => {
    const unlocking = unlock();
    await asked(unlocking);
    await display.press('Escape');
    const cancelled = await unlocking;
    expect([cancelled.status, cancelled.stderr]).toEqual([3, expect.stringContaining('was cancelled')]);
  });

  it('closes its window when the command is interrupted', async () => {
    await using unlocking = await BackgroundProgram.start({
      program: process.execPath,
      argv: [TOUCHSTONE, 'unlock'],
      environment: { ...agent.environment, DISPLAY: display.name },
      isReady: (output) => output.includes('asks for the PIN'),
    });
    await display.focus();
    await unlocking.stop('SIGINT');
    await expect.poll(() => display.hasWindow(), NOTICED).toBe(false);
    await expect
      .poll(() => actsNamed(agent.stateDir, 'unlock-refused').at(-1), NOTICED)
      .toMatchObject({ code: 'limits.cancelled', by: 'prompt' });
  });

  it('says that it cannot ask where there is neither display nor terminal', async () => {
    await agent.stop();
    Object.assign(agent.environment, { DBUS_SESSION_BUS_ADDRESS: undefined });
    await agent.start();
    const refused = await agent.touchstone(['unlock']);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('it cannot ask')]);
  });
});
