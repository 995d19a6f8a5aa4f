/**
 * Text messages of a server as WebSocket frames (RFC 6455 section 5.2: final, unmasked), several in one buffer. The library
 * writes each reply as two pieces, and at 60,000 replies a second those pieces cost more than everything else here.
 */
const FINAL_TEXT = 0x81;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MAX_SHORT = 125;
const MAX_16 = 0xffff;

/** @param texts whole messages, in order */
export function encodeTextFrames(texts: readonly string[]): Buffer {
  const lengths = texts.map((text) => Buffer.byteLength(text));
  let total = 0;
  for (const length of lengths) total += headBytes(length) + length;
  const frames = Buffer.allocUnsafe(total);
  let offset = 0;
  for (const [at, text] of texts.entries()) {
    const length = lengths[at] ?? 0;
    offset = writeHead(frames, offset, length);
    offset += frames.write(text, offset, length, 'utf8');
  }
  return frames;
}

function headBytes(length: number): number {
  if (length <= MAX_SHORT) return 2;
  return length <= MAX_16 ? 4 : 10;
}

function writeHead(frames: Buffer, at: number, length: number): number {
  frames[at] = FINAL_TEXT;
  if (length <= MAX_SHORT) {
    frames[at + 1] = length;
    return at + 2;
  }
  if (length <= MAX_16) {
    frames[at + 1] = LENGTH_16;
    return frames.writeUInt16BE(length, at + 2);
  }
  frames[at + 1] = LENGTH_64;
  return frames.writeBigUInt64BE(BigInt(length), at + 2);
}
