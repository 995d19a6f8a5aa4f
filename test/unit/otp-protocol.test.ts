/** The OTP interface of a YubiKey: frames, answers and the exchange, against a device that follows the protocol byte by byte. */
import { createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerPieces } from '../../src/token/yubikey-otp/answer.js';
import { padChallenge } from '../../src/token/yubikey-otp/challenge.js';
import { crc16 } from '../../src/token/yubikey-otp/crc16.js';
import { frameReports } from '../../src/token/yubikey-otp/frame.js';
import { OtpDevice } from '../../src/token/yubikey-otp/otp-device.js';
import { stateOf, statusOf } from '../../src/token/yubikey-otp/report.js';
import { hmacConfiguration } from '../../src/token/yubikey-otp/slot-configuration.js';
import { thrownBy } from '../support/error-code.js';
import { rejectionOf } from '../support/rejection.js';
import { referenceCrc, VirtualOtpBus, VirtualOtpKey } from '../support/virtual-otp-key.js';

const SECRET = Buffer.from('4c8d51e01e57eebc574753ed005b384d6a2320e0', 'hex');

interface Plugged {
  readonly key: VirtualOtpKey;
  readonly bus: VirtualOtpBus;
  readonly device: OtpDevice;
}

async function plugged(key = new VirtualOtpKey({ serial: 12_345_678 })): Promise<Plugged> {
  const bus = new VirtualOtpBus(key);
  return { key, bus, device: new OtpDevice(await bus.open('/dev/hidraw0')) };
}

describe('CRC-16', () => {
  it('has the known check value of its family', () => {
    // CRC-16/MCRF4XX of "123456789".
    expect(crc16(Buffer.from('123456789'))).toBe(0x6f91);
  });

  it('agrees with its definition, and leaves the residue behind its complement', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const crc = Buffer.alloc(2);
        crc.writeUInt16LE(~crc16(bytes) & 0xffff);
        expect(crc16(bytes)).toBe(referenceCrc(bytes));
        expect(crc16(Buffer.concat([bytes, crc]))).toBe(0xf0b8);
      }),
    );
  });
});

describe('frames', () => {
  it('leave out pieces of zeros, the first and the last excepted', () => {
    const crc = Buffer.alloc(2);
    crc.writeUInt16LE(referenceCrc(Buffer.alloc(64)));
    const reports = frameReports({ command: 0x10, payload: Buffer.alloc(0) });
    expect(reports.map((report) => report.toString('hex'))).toEqual([
      '0000000000000080',
      `0010${crc.toString('hex')}00000089`,
    ]);
  });

  it('come back together, whatever was in them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer({ min: 0, max: 255 }), (payload, command) => {
        const frame = Buffer.alloc(70);
        const reports = frameReports({ command, payload });
        for (const report of reports) report.copy(frame, ((report[7] ?? 0) & 0x1f) * 7, 0, 7);
        const padded = Buffer.alloc(64);
        padded.set(payload);
        expect(frame.subarray(0, 64).equals(padded)).toBe(true);
        expect(frame[64]).toBe(command);
        expect(frame.readUInt16LE(65)).toBe(referenceCrc(padded));
        expect(reports.at(-1)?.[7]).toBe(0x89);
        expect(reports.slice(1, -1).every((report) => report.subarray(0, 7).some((byte) => byte !== 0))).toBe(
          true,
        );
      }),
    );
  });
});

describe('answers', () => {
  it('are refused with a wrong checksum, a missing piece, or too few bytes', () => {
    const damaged = new AnswerPieces();
    damaged.take(Buffer.from('00bc614e00000040', 'hex'), 0);
    expect(thrownBy(() => damaged.data(4)).code).toBe('token.busy');
    const gap = new AnswerPieces();
    gap.take(Buffer.alloc(8), 0);
    expect(thrownBy(() => gap.take(Buffer.alloc(8), 2)).code).toBe('token.busy');
    const short = new AnswerPieces();
    short.take(Buffer.alloc(8), 0);
    expect(thrownBy(() => short.data(20)).message).toContain('too short');
  });

  it('never make anything but a typed error or an answer of the asked length', () => {
    const reports = fc.array(fc.tuple(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.nat(40)), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(reports, fc.integer({ min: 0, max: 64 }), (given, length) => {
        const pieces = new AnswerPieces();
        try {
          for (const [report, number] of given) if (pieces.take(report, number)) break;
          expect(pieces.data(length)).toHaveLength(length);
        } catch (error) {
          expect(error).toMatchObject({ code: 'token.busy' });
        }
      }),
    );
  });
});

describe('reports', () => {
  it('tell what the device does', () => {
    const state = (flag: number): unknown => stateOf(Buffer.from([0, 0, 0, 0, 0, 0, 0, flag]));
    expect(state(0x00)).toEqual({ state: 'idle' });
    expect(state(0x80)).toEqual({ state: 'busy' });
    expect(state(0x9f)).toEqual({ state: 'busy' });
    expect(state(0x2f)).toEqual({ state: 'touch', secondsLeft: 15 });
    expect(state(0x43)).toEqual({ state: 'answer', piece: 3 });
  });

  it('tell firmware, sequence and slots', () => {
    expect(statusOf(Buffer.from([0, 5, 4, 3, 9, 0x0b, 0, 0]))).toEqual({
      version: '5.4.3',
      sequence: 9,
      slots: { 1: { programmed: true, touch: false }, 2: { programmed: true, touch: true } },
    });
    expect(thrownBy(() => statusOf(Buffer.alloc(7))).code).toBe('token.device');
  });
});

describe('challenges', () => {
  it('are what a slot of variable length sees, with either filler', () => {
    const challenges = fc.uint8Array({ minLength: 1, maxLength: 63 });
    fc.assert(
      fc.property(challenges, fc.constantFrom('usual' as const, 'other' as const), (challenge, filler) => {
        const padded = padChallenge(challenge, filler);
        const last = padded[63];
        let end = 64;
        while (end > 0 && padded[end - 1] === last) end -= 1;
        expect(padded).toHaveLength(64);
        expect(Buffer.from(challenge).equals(padded.subarray(0, end))).toBe(true);
      }),
    );
  });

  it('differ in the filler, so that a fixed slot answers differently', () => {
    for (const last of [0x00, 0x01, 0x02, 0xff]) {
      const challenge = Buffer.alloc(32, last);
      expect(padChallenge(challenge, 'usual').equals(padChallenge(challenge, 'other'))).toBe(false);
    }
    expect(padChallenge(Buffer.of(5))[63]).toBe(0);
    expect(padChallenge(Buffer.of(0))[63]).toBe(1);
  });
});

describe('a device', () => {
  it('tells serial number, firmware and slots', async () => {
    const { key, device } = await plugged();
    key.program(2, { secret: SECRET });
    expect(await device.serial()).toBe('12345678');
    const status = await device.status();
    expect(status).toMatchObject({ version: '5.4.3', slots: { 2: { programmed: true, touch: true } } });
    expect(status.slots[1].programmed).toBe(false);
    expect(key.violations).toEqual([]);
  });

  it('hides its serial number when it is set so', async () => {
    const { device } = await plugged(new VirtualOtpKey({ serial: 1, serialVisible: false }));
    const error = await rejectionOf(device.serial());
    expect(error.code).toBe('token.unsupported');
    expect(error.hint).toContain('ykman otp');
  });

  it.each([1, 2] as const)('answers challenges of every length in slot %i', async (slot) => {
    const { key, device } = await plugged();
    key.program(slot, { secret: SECRET, touch: false });
    for (let length = 1; length < 64; length += 1) {
      const challenge = randomBytes(length);
      const response = await device.hmacSha1(slot, challenge);
      expect(response.equals(createHmac('sha1', SECRET).update(challenge).digest())).toBe(true);
    }
    for (const last of [0x00, 0x01]) {
      const challenge = Buffer.concat([randomBytes(31), Buffer.of(last)]);
      const response = await device.hmacSha1(slot, challenge);
      expect(response.equals(createHmac('sha1', SECRET).update(challenge).digest())).toBe(true);
    }
    expect(key.violations).toEqual([]);
  });

  it('answers alike for both fillers in a slot of variable length, and not in a fixed one', async () => {
    const { key, device } = await plugged();
    const challenge = randomBytes(32);
    for (const variable of [true, false]) {
      key.program(2, { secret: SECRET, touch: false, variable });
      const usual = await device.hmacSha1(2, challenge);
      const other = await device.hmacSha1(2, challenge, { filler: 'other' });
      expect(usual.equals(other)).toBe(variable);
    }
  });

  it('is waited for while it is busy with pieces and commands', async () => {
    const { key, device } = await plugged();
    key.program(1, { secret: SECRET, touch: false });
    key.pieceMs = 20;
    key.commandMs = 60;
    const challenge = randomBytes(32);
    const response = await device.hmacSha1(1, challenge);
    expect(response.equals(createHmac('sha1', SECRET).update(challenge).digest())).toBe(true);
    expect(key.violations).toEqual([]);
  });

  it('is given up when it never takes a command', async () => {
    const { key, device } = await plugged();
    key.pieceMs = 60_000;
    expect((await rejectionOf(device.serial())).code).toBe('token.timeout');
  });

  it('runs commands that are asked for at once one after the other', async () => {
    const { key, device } = await plugged();
    key.program(1, { secret: SECRET, touch: false });
    const challenges = Array.from({ length: 8 }, () => randomBytes(32));
    const answers = await Promise.all([
      ...challenges.map((challenge) => device.hmacSha1(1, challenge)),
      device.serial(),
    ]);
    for (const [at, challenge] of challenges.entries()) {
      expect(
        createHmac('sha1', SECRET)
          .update(challenge)
          .digest()
          .equals(answers[at] as Buffer),
      ).toBe(true);
    }
    expect(answers.at(-1)).toBe('12345678');
    expect(key.violations).toEqual([]);
  });

  it('is asked once more after a damaged answer, and only once', async () => {
    const { key, device } = await plugged();
    key.damagedAnswers = 1;
    expect(await device.serial()).toBe('12345678');
    key.damagedAnswers = 2;
    expect((await rejectionOf(device.serial())).code).toBe('token.busy');
    expect(key.commands).toHaveLength(4);
  });

  it('is freed of half an answer, and of the wait for a finger, that somebody left behind', async () => {
    const { key, bus, device } = await plugged();
    key.program(2, { secret: SECRET });
    key.fingerAfterMs = undefined;
    const other = await bus.open('/dev/hidraw0');
    for (const report of frameReports({ command: 0x10, payload: Buffer.alloc(0) })) await other.write(report);
    expect(stateOf(await other.read()).state).toBe('answer');
    expect(await device.serial()).toBe('12345678');
    for (const report of frameReports({ command: 0x38, payload: Buffer.alloc(64) }))
      await other.write(report);
    expect(key.isBlinking).toBe(true);
    expect(await device.serial()).toBe('12345678');
    expect(key.violations).toEqual([]);
  });

  it('that is pulled out fails as removed, and its handle stays dead for the next key', async () => {
    const { bus, device } = await plugged();
    bus.unplug('/dev/hidraw0');
    expect((await rejectionOf(device.serial())).code).toBe('token.removed');
    bus.plug('/dev/hidraw0', new VirtualOtpKey({ serial: 99 }));
    expect((await rejectionOf(device.serial())).code).toBe('token.removed');
  });
});

describe('touch', () => {
  it('is told once, with the time left, and waited for', async () => {
    const { key, device } = await plugged();
    key.program(2, { secret: SECRET });
    key.fingerAfterMs = 250;
    const seconds: number[] = [];
    const challenge = randomBytes(32);
    const response = await device.hmacSha1(2, challenge, { onTouch: (left) => seconds.push(left) });
    expect(seconds).toEqual([15]);
    expect(response.equals(createHmac('sha1', SECRET).update(challenge).digest())).toBe(true);
  });

  it('that never comes ends as a typed error, and the next command works', async () => {
    const { key, device } = await plugged();
    key.program(2, { secret: SECRET });
    key.fingerAfterMs = undefined;
    key.touchSeconds = 0.3;
    const error = await rejectionOf(device.hmacSha1(2, randomBytes(32)));
    expect(error.code).toBe('token.touch-timeout');
    key.fingerAfterMs = 0;
    expect(await device.hmacSha1(2, randomBytes(32))).toHaveLength(20);
    expect(key.commands).toEqual([0x38, 0x38]);
  });

  it('can be cancelled: the key stops blinking', async () => {
    const { key, device } = await plugged();
    key.program(2, { secret: SECRET });
    key.fingerAfterMs = undefined;
    const cancel = new AbortController();
    const asked = device.hmacSha1(2, randomBytes(32), {
      signal: cancel.signal,
      onTouch: () => {
        cancel.abort();
      },
    });
    expect((await rejectionOf(asked)).code).toBe('limits.cancelled');
    expect(key.isBlinking).toBe(false);
  });

  it('is never asked for twice because of a damaged answer', async () => {
    const { key, device } = await plugged();
    key.program(2, { secret: SECRET });
    key.damagedAnswers = 1;
    key.fingerAfterMs = 30;
    expect((await rejectionOf(device.hmacSha1(2, randomBytes(32)))).code).toBe('token.busy');
    expect(key.commands).toEqual([0x38]);
  });
});

describe('slots', () => {
  it('that are empty or do something else are refused as such', async () => {
    const { key, device } = await plugged();
    const empty = await rejectionOf(device.hmacSha1(1, Buffer.of(1)));
    expect(empty).toMatchObject({ code: 'token.slot-mode', message: 'asking OTP slot 1: it is empty' });
    key.program(1, { secret: SECRET, other: true });
    const other = await rejectionOf(device.hmacSha1(1, Buffer.of(1)));
    expect(other.message).toBe('asking OTP slot 1: it does not answer challenges');
  });

  it('are programmed with variable length and touch', async () => {
    const { key, device } = await plugged();
    key.configureMs = 100;
    await device.writeSecret(2, SECRET);
    expect(key.slot(2)).toMatchObject({ variable: true, touch: true, other: false });
    expect(key.slot(2)?.secret.equals(SECRET)).toBe(true);
    expect(key.slot(1)).toBeUndefined();
    expect(await device.serial()).toBe('12345678');
    expect(key.violations).toEqual([]);
  });

  it('behind an access code keep what they have', async () => {
    const { key, device } = await plugged();
    key.program(2, { secret: SECRET, accessCode: Buffer.from('010203040506', 'hex') });
    const error = await rejectionOf(device.writeSecret(2, randomBytes(20)));
    expect(error.code).toBe('token.write-protected');
    expect(key.slot(2)?.secret.equals(SECRET)).toBe(true);
  });

  it('get a configuration with a complemented checksum and no access code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), (secret) => {
        const written = hmacConfiguration(secret);
        expect(written).toHaveLength(58);
        expect(referenceCrc(written.subarray(0, 52))).toBe(0xf0b8);
        expect(written.subarray(38, 44).equals(Buffer.alloc(6))).toBe(true);
        expect(written.subarray(52).equals(Buffer.alloc(6))).toBe(true);
      }),
    );
  });
});
