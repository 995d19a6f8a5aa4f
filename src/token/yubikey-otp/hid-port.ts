/**
 * Feature reports over node-hid. Only its asynchronous class is used, and no input report is ever read: those are what the key
 * types as a keyboard.
 */
import { accessSync, constants, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import type * as NodeHid from 'node-hid';
import type { HIDAsync } from 'node-hid';
import { secretBuffer } from '../../crypto/secret-bytes.js';
import { AgentError } from '../../errors/agent-error.js';
import type { FeaturePort, Place, PortFinder } from './feature-port.js';
import { REPORT_BYTES } from './report.js';

const YUBICO = 0x1050;
/** Products with an OTP interface: key 1 and 2, NEO, 4 and 5, Plus. */
const PRODUCTS: ReadonlySet<number> = new Set([
  ...[0x0010, 0x0110, 0x0111, 0x0114, 0x0116],
  ...[0x0401, 0x0403, 0x0405, 0x0407, 0x0410],
]);
const GENERIC_DESKTOP = 1;
const KEYBOARD = 6;
/** The device numbers no reports; node-hid wants the number all the same. */
const REPORT_NUMBER = 0;
/** Linux; other systems have other paths for each plug. */
const HIDRAW_CLASS = '/sys/class/hidraw';
const GONE = /no such device/i;

/** @throws AgentError `native.driver-binding` when node-hid cannot be loaded */
export async function hidPorts(): Promise<PortFinder> {
  const hid = await loadHid();
  return {
    places: async () => {
      const devices = await hid.devicesAsync();
      return devices.flatMap((device) => {
        const isOtp =
          device.vendorId === YUBICO &&
          PRODUCTS.has(device.productId) &&
          device.usagePage === GENERIC_DESKTOP &&
          device.usage === KEYBOARD;
        return isOtp && device.path !== undefined ? [placeOf(device.path)] : [];
      });
    },
    open: async (path) => new HidPort(await openHid(hid, path)),
  };
}

class HidPort implements FeaturePort {
  readonly #device: HIDAsync;

  constructor(device: HIDAsync) {
    this.#device = device;
  }

  async read(): Promise<Buffer> {
    const report = await onDevice(this.#device.getFeatureReport(REPORT_NUMBER, REPORT_BYTES + 1));
    return Buffer.from(report.subarray(report.length - REPORT_BYTES));
  }

  async write(report: Uint8Array): Promise<void> {
    const numbered = secretBuffer(REPORT_BYTES + 1).fill(REPORT_NUMBER);
    numbered.set(report, 1);
    try {
      await onDevice(this.#device.sendFeatureReport(numbered));
    } finally {
      numbered.fill(0);
    }
  }

  async close(): Promise<void> {
    await this.#device.close().catch(() => undefined);
  }
}

async function loadHid(): Promise<typeof NodeHid> {
  try {
    return await import('node-hid');
  } catch (cause) {
    throw new AgentError('native.driver-binding', {
      message: 'loading node-hid: it does not load on this system',
      hint: 'install Touchstone again; node-hid has prebuilt binaries for Linux, macOS and Windows',
      cause,
    });
  }
}

/** The kernel numbers devices as they come: the link of a device that is plugged in anew has another number in it. */
function placeOf(path: string): Place {
  try {
    return { path, instance: readlinkSync(join(HIDRAW_CLASS, basename(path))) };
  } catch {
    return { path, instance: path };
  }
}

async function openHid(hid: typeof NodeHid, path: string): Promise<HIDAsync> {
  try {
    return await hid.HIDAsync.open(path, { nonExclusive: true });
  } catch (cause) {
    if (mayOpen(path))
      throw new AgentError('token.removed', { message: `opening ${path}: it does not open`, cause });
    throw new AgentError('token.not-permitted', {
      message: `opening ${path}: this user may not`,
      details: { path },
      cause,
    });
  }
}

function mayOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EACCES';
  }
}

/** node-hid reports everything as text. */
async function onDevice<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const isGone = cause instanceof Error && GONE.test(cause.message);
    throw new AgentError(isGone ? 'token.removed' : 'token.device', {
      message: isGone
        ? 'talking to the OTP slot: the key is gone'
        : 'talking to the OTP slot: the key did not answer',
      cause,
    });
  }
}
