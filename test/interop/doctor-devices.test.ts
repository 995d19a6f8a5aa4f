/** What doctor says of the way to a YubiKey: a real pcscd that runs, or does not; HID nodes as sysfs shows them. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkHid } from '../../src/cli/checks/devices.js';
import { ownedCard, PivAgent } from '../support/piv-agent.js';
import { TempFolder } from '../support/temp-folder.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';

const NOBODY = 65_534;

describe('doctor', () => {
  it('says whether pcscd runs and where the driver is, with the next command', async () => {
    await using agent = new PivAgent();
    const desk = await YubiKeyDesk.start([ownedCard()]);
    try {
      await agent.begin(desk);
      const well = await agent.touchstone(['doctor']);
      expect(well.stdout).toMatch(/^ok +smart card service: pcscd answers on \//m);
      expect(well.stdout).toMatch(/^ok +driver of key: \/.*libykcs11\.so/m);
    } finally {
      await desk[Symbol.asyncDispose]();
    }
    const ill = await agent.touchstone(['doctor']);
    expect(ill.status).toBe(1);
    expect(ill.stdout).toMatch(
      /^fail +smart card service: pcscd does not answer on .* \(E[A-Z]+\)\n +fix: sudo systemctl enable --now pcscd\.socket$/m,
    );
  });

  it('asks nothing of PC/SC where no YubiKey is configured', async () => {
    await using agent = new PivAgent();
    await agent.init();
    const { stdout } = await agent.touchstone(['doctor']);
    expect(stdout).toContain('driver of release');
    expect(stdout).not.toMatch(/smart card service|HID access/);
  });
});

describe('HID nodes', () => {
  function places(folder: TempFolder, id: string): { readonly sysfs: string; readonly dev: string } {
    mkdirSync(folder.join('sysfs/hidraw7/device'), { recursive: true });
    writeFileSync(folder.join('sysfs/hidraw7/device/uevent'), `DRIVER=hid-generic\nHID_ID=${id}\n`);
    mkdirSync(folder.join('dev'));
    writeFileSync(folder.join('dev/hidraw7'), '');
    return { sysfs: folder.join('sysfs'), dev: folder.join('dev') };
  }

  /** As a user without rights, where the tests run as root. */
  function asNobody<T>(work: () => T): T {
    if (process.geteuid?.() !== 0) return work();
    process.seteuid?.(NOBODY);
    try {
      return work();
    } finally {
      process.seteuid?.(0);
    }
  }

  it('of a YubiKey that this user may open are well, and of others none', () => {
    using folder = new TempFolder();
    expect(checkHid(places(folder, '0003:00001050:00000407'))).toMatchObject({
      outcome: 'ok',
      message: folder.join('dev/hidraw7'),
    });
    using other = new TempFolder();
    expect(checkHid(places(other, '0003:0000046D:0000C31C'))).toMatchObject({ outcome: 'warn' });
    expect(checkHid({ sysfs: other.join('none'), dev: other.path })).toMatchObject({ outcome: 'warn' });
  });

  it('that this user may not open lead to the udev rule', () => {
    using folder = new TempFolder();
    const at = places(folder, '0003:00001050:00000407');
    chmodSync(folder.path, 0o755);
    chmodSync(folder.join('dev/hidraw7'), 0o000);
    const check = asNobody(() => checkHid(at));
    expect(check).toMatchObject({ outcome: 'fail', message: expect.stringContaining('hidraw7') as string });
    expect(check.fix).toContain('udevadm control --reload');
  });
});
