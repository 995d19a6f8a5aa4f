/** The virtual YubiKey through the real pcscd: what the programs of its vendor, and PC/SC itself, make of it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRunning } from '../support/process-tree.js';
import { PcscClient } from '../support/virtual-yubikey/pcsc-client.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';
import { YubiKey } from '../support/virtual-yubikey/yubikey.js';

const run = promisify(execFile);
const SELECT_PIV = '00a4040005a000000308';
const GET_VERSION = '00fd000000';
const GET_SERIAL = '00f8000000';
const MAX_MEDIAN_US = 2000;

describe('reader', () => {
  it('answers a bare APDU in under 2 ms', async () => {
    await using desk = await YubiKeyDesk.start();
    await using client = await PcscClient.connect(desk);
    expect((await client.transmit(SELECT_PIV)).response).toMatch(/9000$/);
    const { response, microseconds } = await client.transmitMany(GET_VERSION, 500);
    expect(response).toBe('0504039000');
    expect(microseconds).toBeLessThan(MAX_MEDIAN_US);
  });

  it('ends its pcscd with the desk', async () => {
    const desk = await YubiKeyDesk.start();
    const pid = desk.daemonPid;
    expect(isRunning(pid)).toBe(true);
    await desk[Symbol.asyncDispose]();
    expect(isRunning(pid)).toBe(false);
  });

  it('has several pcscd side by side, each with keys of its own', async () => {
    await using first = await YubiKeyDesk.start([new YubiKey({ serial: 101 })]);
    await using second = await YubiKeyDesk.start([
      new YubiKey({ serial: 201 }),
      new YubiKey({ serial: 202 }),
    ]);
    const serials = [];
    for (const [desk, reader] of [
      [first, 0],
      [second, 0],
      [second, 1],
    ] as const) {
      await using client = await PcscClient.connect(desk, { reader });
      await client.transmit(SELECT_PIV);
      serials.push((await client.transmit(GET_SERIAL)).response);
    }
    expect(serials).toEqual(['000000659000', '000000c99000', '000000ca9000']);
  });
});

describe('yubico-piv-tool', () => {
  let desk: YubiKeyDesk;
  beforeAll(async () => {
    desk = await YubiKeyDesk.start();
  });
  afterAll(() => desk[Symbol.asyncDispose]());

  it('shows the status', async () => {
    const { stdout } = await run('yubico-piv-tool', ['-a', 'status'], { env: desk.environment });
    expect(stdout).toMatch(/Version:\s+5\.4\.3\nSerial Number:\s+14700001\n/);
    expect(stdout).toMatch(/PIN tries left:\s+3\n/);
  });
});
