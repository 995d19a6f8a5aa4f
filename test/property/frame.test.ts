/** Frames arrive whole however the stream was cut. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { allocateFrame, encodeFrame, FrameDecoder } from '../../src/encoding/frame.js';
import { codeOf } from '../support/error-code.js';

const MAX_BYTES = 64;

function cut(stream: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= stream.length) break;
    chunks.push(stream.subarray(at, at + size));
    at += size;
  }
  if (at < stream.length) chunks.push(stream.subarray(at));
  return chunks;
}

it('puts frames together under any chunking', () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: MAX_BYTES }), { maxLength: 8 });
  const sizes = fc.array(fc.integer({ min: 0, max: 70 }), { maxLength: 40 });
  fc.assert(
    fc.property(bodies, sizes, (sent, cuts) => {
      const stream = Buffer.concat(sent.map((body) => encodeFrame(body)));
      using decoder = new FrameDecoder(MAX_BYTES);
      const received: Buffer[] = [];
      for (const chunk of cut(stream, cuts)) {
        // The pipe reuses its buffer, as a fixed read buffer does.
        const reused = Buffer.from(chunk);
        decoder.push(reused, (frame) => received.push(Buffer.from(frame)));
        reused.fill(0xee);
      }
      expect(received.map((frame) => frame.toString('hex'))).toEqual(
        sent.map((body) => Buffer.from(body).toString('hex')),
      );
      expect(decoder.isIdle).toBe(true);
    }),
    { numRuns: 500 },
  );
});

it('puts frames together byte by byte', () => {
  const stream = Buffer.concat([
    encodeFrame(Buffer.from('one')),
    encodeFrame(),
    encodeFrame(Buffer.from('th'), Buffer.from('ree')),
  ]);
  using decoder = new FrameDecoder(MAX_BYTES);
  const received: string[] = [];
  for (const byte of stream) decoder.push(Buffer.from([byte]), (frame) => received.push(frame.toString()));
  expect(received).toEqual(['one', '', 'three']);
});

it('hands out a view of the chunk when the frame lies inside it', () => {
  const chunk = encodeFrame(Buffer.from('secret'));
  using decoder = new FrameDecoder(MAX_BYTES);
  decoder.push(chunk, (frame) => frame.fill(0));
  expect(chunk.subarray(4).every((byte) => byte === 0)).toBe(true);
});

it('refuses a frame over the limit as soon as its length is known', () => {
  const long = allocateFrame(MAX_BYTES + 1);
  expect(
    codeOf(() => {
      new FrameDecoder(MAX_BYTES).push(long.subarray(0, 4), () => expect.fail('a frame'));
    }),
  ).toBe('limits.frame-too-large');
  const decoder = new FrameDecoder(MAX_BYTES);
  decoder.push(long.subarray(0, 2), () => expect.fail('a frame'));
  expect(
    codeOf(() => {
      decoder.push(long.subarray(2, 5), () => expect.fail('a frame'));
    }),
  ).toBe('limits.frame-too-large');
});

it('knows when a stream was cut, and forgets the piece it holds when disposed', () => {
  const decoder = new FrameDecoder(MAX_BYTES);
  decoder.push(encodeFrame(Buffer.from('secret')).subarray(0, 7), () => expect.fail('a frame'));
  expect(decoder.isIdle).toBe(false);
  decoder[Symbol.dispose]();
  expect(decoder.isIdle).toBe(true);
});
