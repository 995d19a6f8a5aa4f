/** Recorded exchanges with an OTP interface: the driver writes exactly these reports, and makes these results of what it reads. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { asAgentError } from '../../src/errors/agent-error.js';
import { OtpDevice } from '../../src/token/yubikey-otp/otp-device.js';
import { ReplayPort } from '../support/replay-port.js';

type Call =
  | { readonly call: 'serial' }
  | { readonly call: 'status' }
  | {
      readonly call: 'hmac';
      readonly slot: 1 | 2;
      readonly challenge: string;
      readonly filler: 'usual' | 'other';
    }
  | { readonly call: 'write'; readonly slot: 1 | 2; readonly secret: string };

type Exchange = Call & {
  readonly name: string;
  readonly result?: unknown;
  readonly error?: string;
  readonly reports: readonly string[];
};

const file = JSON.parse(readFileSync(new URL('../vectors/yubikey-otp.json', import.meta.url), 'utf8')) as {
  readonly secret: string;
  readonly exchanges: readonly Exchange[];
};

async function perform(device: OtpDevice, exchange: Exchange): Promise<unknown> {
  switch (exchange.call) {
    case 'serial':
      return device.serial();
    case 'status':
      return device.status();
    case 'hmac': {
      const { slot, challenge, filler } = exchange;
      return (await device.hmacSha1(slot, Buffer.from(challenge, 'hex'), { filler })).toString('hex');
    }
    case 'write':
      await device.writeSecret(exchange.slot, Buffer.from(exchange.secret, 'hex'));
      return 'done';
  }
}

describe('a recorded exchange', () => {
  it.each(file.exchanges)('is repeated report by report: $name', async (exchange) => {
    const port = new ReplayPort(exchange.reports);
    const outcome = await perform(new OtpDevice(port), exchange).then(
      (result) => ({ result }),
      (thrown: unknown) => ({ error: asAgentError(thrown).code }),
    );
    const { result, error } = exchange;
    expect(outcome).toEqual(error === undefined ? { result } : { error });
    expect(port.left).toBe(0);
  });

  it('holds the HMAC of what the slot hashes', () => {
    const secret = Buffer.from(file.secret, 'hex');
    const answers = file.exchanges.filter(
      (exchange) => exchange.call === 'hmac' && exchange.result !== undefined,
    );
    expect(answers.length).toBeGreaterThanOrEqual(5);
    for (const exchange of answers) {
      if (exchange.call !== 'hmac') continue;
      const challenge = Buffer.from(exchange.challenge, 'hex');
      const isFixed = exchange.name.includes('fixed');
      const hashed = isFixed ? Buffer.concat([challenge, Buffer.alloc(64 - challenge.length)]) : challenge;
      expect(exchange.result).toBe(createHmac('sha1', secret).update(hashed).digest('hex'));
    }
  });
});
