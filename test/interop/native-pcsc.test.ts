/** The PC/SC functions of the native shim: the real pcscd with the virtual YubiKey, and nobody at all. */
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { NativeChild } from '../support/native-child.js';
import { reference } from '../support/virtual-yubikey/bare-applet.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';

const SERVE = `
const cards = [];
const calls = {
  readers: () => shims.pcscReaders(),
  open: (reader) => cards.push(shims.pcscOpen(reader, 1_000)) - 1,
  transmit: ([at, apdu]) => shims.pcscTransmit(cards[at], Buffer.from(apdu, 'hex')).toString('hex'),
  close: ([at, reset]) => shims.pcscClose(cards[at], reset) ?? null,
  foreign: () => shims.pcscTransmit({}, Buffer.alloc(5)),
};
say('ready');
for (;;) {
  const [call, argument] = JSON.parse(await hear());
  try {
    say({ value: calls[call](argument) });
  } catch (error) {
    say({ code: error.code });
  }
}
`;
const SELECT_PIV = '00a4040005a000000308';
const VERIFY = `0020008008${reference('123456').toString('hex')}`;

interface Reader {
  readonly name: string;
  readonly present: boolean;
  readonly events: number;
}

async function start(environment: NodeJS.ProcessEnv): Promise<NativeChild> {
  const child = new NativeChild(SERVE, { env: environment });
  await child.heard();
  return child;
}

async function ask(child: NativeChild, call: string, argument: unknown = null): Promise<unknown> {
  child.tell(JSON.stringify([call, argument]));
  return child.heard();
}

async function readersOf(child: NativeChild): Promise<readonly Reader[]> {
  return ((await ask(child, 'readers')) as { readonly value: readonly Reader[] }).value;
}

/** Looks until the service has seen it: it polls the reader in its own time. */
async function readerWith(child: NativeChild, isAsWanted: (reader: Reader) => boolean): Promise<Reader> {
  for (;;) {
    const [reader] = await readersOf(child);
    if (reader !== undefined && isAsWanted(reader)) return reader;
    await setTimeout(20);
  }
}

describe('PC/SC', () => {
  it('lists readers, and tells by a number that a card came or went', async () => {
    await using desk = await YubiKeyDesk.start();
    await using child = await start(desk.environment);
    const [before] = await readersOf(child);
    const card = desk.key;
    desk.reader.remove();
    await readerWith(child, ({ present }) => !present);
    desk.reader.insert(card);
    const after = await readerWith(child, ({ present }) => present);
    expect([before?.present, after.name]).toEqual([true, before?.name]);
    expect(after.events).not.toBe(before?.events);
  });

  it('exchanges APDUs in one transaction, and resets the card where it is told to', async () => {
    await using desk = await YubiKeyDesk.start();
    await using child = await start(desk.environment);
    const [reader] = await readersOf(child);
    for (const [at, reset] of [
      [0, false],
      [1, true],
    ] as const) {
      expect(await ask(child, 'open', reader?.name)).toEqual({ value: at });
      expect(await ask(child, 'transmit', [at, SELECT_PIV])).toEqual({
        value: expect.stringMatching(/9000$/) as string,
      });
      expect(await ask(child, 'transmit', [at, VERIFY])).toEqual({ value: '9000' });
      expect(await ask(child, 'close', [at, reset])).toEqual({ value: null });
      expect(desk.key.state.isPinVerified).toBe(!reset);
    }
    expect(await ask(child, 'transmit', [1, SELECT_PIV])).toEqual({ code: 'EBADF' });
    expect(await ask(child, 'close', [1, true])).toEqual({ value: null });
    expect(await ask(child, 'foreign')).toEqual({ code: 'ERR_INVALID_ARG_VALUE' });
  });

  it('gives the numbers of PC/SC when there is no reader, no card, or nobody', async () => {
    await using desk = await YubiKeyDesk.start([undefined]);
    await using child = await start(desk.environment);
    const [reader] = await readersOf(child);
    expect(reader?.present).toBe(false);
    expect(await ask(child, 'open', reader?.name)).toEqual({ code: '0x8010000c' });
    expect(await ask(child, 'open', 'no such reader')).toEqual({ code: '0x80100009' });
    await desk.stopDaemon();
    expect(await ask(child, 'readers')).toEqual({ code: '0x8010001d' });
  });
});
