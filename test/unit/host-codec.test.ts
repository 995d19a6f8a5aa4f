import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeHostFailure,
  encodeHostRequest,
  encodeHostResult,
  HostFrameDecoder,
  parseHostReply,
  parseHostRequest,
  type HostFrame,
} from '../../src/tokenhost/host-codec.js';
import { MAX_HOST_FRAME_BYTES } from '../../src/tokenhost/messages.js';

const KEY = { id: '01ab', label: 'release root' };

function copyOf(frame: HostFrame): HostFrame {
  return { ...frame, header: Buffer.from(frame.header), raw: Buffer.from(frame.raw) };
}

function decode(chunks: readonly Buffer[]): HostFrame[] {
  const decoder = new HostFrameDecoder();
  const frames: HostFrame[] = [];
  for (const chunk of chunks) decoder.push(chunk, (frame) => frames.push(copyOf(frame)));
  return frames;
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  chunks.push(Buffer.from(bytes.subarray(at)));
  return chunks.filter((chunk) => chunk.length > 0);
}

describe('host codec', () => {
  it('carries requests, results and failures', () => {
    const digest = Buffer.alloc(32, 7);
    const [request] = decode([encodeHostRequest(9, 'signDigest', KEY, digest)]);
    expect(request && parseHostRequest(request)).toEqual({
      id: 9,
      method: 'signDigest',
      params: KEY,
      raw: digest,
    });

    const [result] = decode([encodeHostResult(0xffffffff, KEY, digest)]);
    expect(result && parseHostReply(result)).toEqual({ id: 0xffffffff, ok: true, result: KEY, raw: digest });

    const error = { code: 'token.absent', message: 'gone', hint: 'insert it', details: { ckr: 5 } } as const;
    const [failure] = decode([encodeHostFailure(1, error)]);
    expect(failure && parseHostReply(failure)).toEqual({ id: 1, ok: false, error });
  });

  it('yields the same frames however the stream is cut', () => {
    const sent = [
      encodeHostRequest(1, 'probe', {}),
      encodeHostRequest(2, 'login', {}, Buffer.from('1234')),
      encodeHostRequest(3, 'findSigningKey', { id: 'ff', label: 'Schlüssel ✓' }),
    ];
    const stream = Buffer.concat(sent);
    const whole = decode([Buffer.from(stream)]);
    expect(whole.map((frame) => frame.id)).toEqual([1, 2, 3]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 12 }), (sizes) => {
        expect(decode(cut(stream, sizes))).toEqual(whole);
      }),
    );
    expect(
      decode(
        cut(
          stream,
          Array.from({ length: stream.length }, () => 1),
        ),
      ),
    ).toEqual(whole);
  });

  it('overwrites the chunk and the views once the callback returned', () => {
    const secret = Buffer.from('654321');
    for (const size of [1000, 20]) {
      const chunks = cut(encodeHostRequest(2, 'login', {}, secret), [size]);
      const kept: Buffer[] = [];
      const decoder = new HostFrameDecoder();
      for (const chunk of chunks) {
        decoder.push(chunk, (frame) => {
          expect(frame.raw.equals(secret)).toBe(true);
          kept.push(frame.raw);
        });
      }
      expect(kept).toHaveLength(1);
      for (const view of [...kept, ...chunks]) expect(view.every((byte) => byte === 0)).toBe(true);
    }
  });

  it('overwrites the chunk when the callback throws', () => {
    const chunk = encodeHostRequest(2, 'login', {}, Buffer.from('654321'));
    const decoder = new HostFrameDecoder();
    expect(() => {
      decoder.push(chunk, () => {
        throw new Error('stop');
      });
    }).toThrow('stop');
    expect(chunk.every((byte) => byte === 0)).toBe(true);
  });

  it('refuses frames that are too large, too short or inconsistent', () => {
    expect(() => encodeHostRequest(1, 'login', {}, Buffer.alloc(MAX_HOST_FRAME_BYTES))).toThrow(
      expect.objectContaining({ code: 'limits.frame-too-large' }),
    );
    const announced = (length: number): Buffer => {
      const bytes = Buffer.alloc(64);
      bytes.writeUInt32BE(length, 0);
      return bytes;
    };
    expect(() => decode([announced(MAX_HOST_FRAME_BYTES + 1)])).toThrow(
      expect.objectContaining({ code: 'limits.frame-too-large' }),
    );
    expect(() => decode([announced(8)])).toThrow(expect.objectContaining({ code: 'internal.unexpected' }));
    const headerTooLong = encodeHostRequest(1, 'probe', {});
    headerTooLong.writeUInt32BE(1000, 9);
    expect(() => decode([headerTooLong])).toThrow(expect.objectContaining({ code: 'internal.unexpected' }));
  });

  it('refuses unknown opcodes and headers that are not JSON, without quoting them', () => {
    const unknown = encodeHostRequest(1, 'probe', {});
    unknown.writeUInt8(200, 8);
    const [frame] = decode([unknown]);
    expect(() => frame && parseHostRequest(frame)).toThrow('unknown opcode 200');
    expect(() => frame && parseHostReply(frame)).toThrow('unknown answer 200');

    const damaged = encodeHostRequest(1, 'findSigningKey', KEY);
    damaged.write('secret-looking', 13, 'latin1');
    const [broken] = decode([damaged]);
    expect(() => broken && parseHostRequest(broken)).toThrow(/^token host frame: the header is not JSON$/);
  });
});
