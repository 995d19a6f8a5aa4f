import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeHostFrame,
  encodeHostFrame,
  HostOpcode,
  hostMethodOf,
} from '../../src/tokenhost/host-codec.js';
import { HOST_METHODS, MAX_HOST_FRAME_BYTES } from '../../src/tokenhost/messages.js';

const KEY = { id: '01ab', label: 'release root' };

/** What the pipe hands out: the frame behind its length. */
function body(frame: Buffer): Buffer {
  expect(frame.readUInt32BE(0)).toBe(frame.length - 4);
  return frame.subarray(4);
}

describe('host codec', () => {
  it('carries every method with parameters and raw bytes', () => {
    for (const method of HOST_METHODS) {
      const raw = Buffer.from(method);
      const frame = decodeHostFrame(body(encodeHostFrame(9, method, KEY, raw)));
      expect(hostMethodOf(frame.opcode)).toBe(method);
      expect(frame).toMatchObject({ id: 9, header: KEY });
      expect(frame.raw.equals(raw)).toBe(true);
    }
  });

  it('carries answers of both outcomes', () => {
    const ok = decodeHostFrame(body(encodeHostFrame(0xffffffff, HostOpcode.ok, KEY)));
    expect(ok).toMatchObject({ id: 0xffffffff, opcode: HostOpcode.ok, header: KEY });
    expect(ok.raw).toHaveLength(0);
    const error = { code: 'token.absent', message: 'gone', hint: 'insert it', details: { ckr: 5 } };
    const failed = decodeHostFrame(body(encodeHostFrame(1, HostOpcode.error, { error })));
    expect(failed).toMatchObject({ id: 1, opcode: HostOpcode.error, header: { error } });
  });

  it('round-trips any header and raw part', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 0xffffffff }),
        fc.dictionary(fc.string(), fc.string({ unit: 'grapheme' })),
        fc.uint8Array({ maxLength: 300 }),
        (id, entries, raw) => {
          // A prototype-less object does not equal its parsed self; a plain copy does.
          const header = JSON.parse(JSON.stringify(entries)) as unknown;
          const frame = decodeHostFrame(body(encodeHostFrame(id, HostOpcode.ok, header, raw)));
          expect(frame.id).toBe(id);
          expect(frame.header).toEqual(header);
          expect(Buffer.from(raw).equals(frame.raw)).toBe(true);
        },
      ),
    );
  });

  it('hands out raw bytes as a view, so that overwriting the frame overwrites the secret', () => {
    const frame = body(encodeHostFrame(2, 'login', {}, Buffer.from('654321')));
    const { raw } = decodeHostFrame(frame);
    expect(raw.toString()).toBe('654321');
    raw.fill(0);
    expect(frame.includes('654321')).toBe(false);
  });

  it('refuses a frame larger than the limit and takes one of exactly that size', () => {
    const room = MAX_HOST_FRAME_BYTES - 9 - '{}'.length;
    expect(encodeHostFrame(1, 'login', {}, Buffer.alloc(room))).toHaveLength(4 + MAX_HOST_FRAME_BYTES);
    expect(() => encodeHostFrame(1, 'login', {}, Buffer.alloc(room + 1))).toThrow(
      expect.objectContaining({ code: 'limits.frame-too-large' }),
    );
  });

  it('refuses what is not a frame, without quoting it', () => {
    const broken = expect.objectContaining({ code: 'internal.unexpected' });
    expect(() => decodeHostFrame(Buffer.alloc(8))).toThrow(broken);
    const long = body(encodeHostFrame(1, 'probe', {}));
    long.writeUInt32BE(3, 5);
    expect(() => decodeHostFrame(long)).toThrow(broken);
    const damaged = body(encodeHostFrame(1, 'findSigningKey', KEY));
    damaged.write('secret-looking', 9, 'latin1');
    expect(() => decodeHostFrame(damaged)).toThrow(/^token host frame: the header is not JSON$/);
    expect(() => hostMethodOf(HOST_METHODS.length)).toThrow(broken);
  });

  it('never throws anything but an AgentError on garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decodeHostFrame(Buffer.from(bytes));
        } catch (error) {
          expect(error).toMatchObject({ name: 'AgentError', code: 'internal.unexpected' });
        }
      }),
    );
  });
});
