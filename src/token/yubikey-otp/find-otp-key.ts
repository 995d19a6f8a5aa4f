/** Finds the key with one serial number among everything that is plugged in. */
import { AgentError, asAgentError } from '../../errors/agent-error.js';
import type { Place, PortFinder } from './feature-port.js';
import { OtpDevice } from './otp-device.js';

export interface FoundKey {
  readonly device: OtpDevice;
  readonly place: Place;
}

/** @throws AgentError `token.absent`, or what kept every other key from being asked: `token.not-permitted`, `token.unsupported` */
export async function findOtpKey(finder: PortFinder, serial: string): Promise<FoundKey> {
  const problems: AgentError[] = [];
  for (const place of await finder.places()) {
    try {
      const device = await openIfSerial(finder, place, serial);
      if (device !== undefined) return { device, place };
    } catch (thrown) {
      problems.push(asAgentError(thrown));
    }
  }
  throw (
    problems[0] ??
    new AgentError('token.absent', {
      message: `no YubiKey with serial number ${serial} and OTP is connected`,
    })
  );
}

async function openIfSerial(
  finder: PortFinder,
  place: Place,
  serial: string,
): Promise<OtpDevice | undefined> {
  const device = new OtpDevice(await finder.open(place.path));
  try {
    if ((await device.serial()) === serial) return device;
  } catch (error) {
    await device.close();
    throw error;
  }
  await device.close();
  return undefined;
}
