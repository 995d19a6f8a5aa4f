/** Cuts a stream of bytes into lines without copying more than the piece that stands between two chunks. */
import { MAX_LINE_BYTES } from './line-schema.js';

const LINE_FEED = 0x0a;

export class LineSplitter {
  readonly #onLine: (line: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);
  #restTooLong = false;

  /** @param onLine hears each line without its line feed; a line over MAX_LINE_BYTES arrives cut, as one that cannot be read */
  constructor(onLine: (line: Buffer) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    let start = 0;
    let end = chunk.indexOf(LINE_FEED);
    while (end !== -1) {
      this.#emit(chunk.subarray(start, end));
      start = end + 1;
      end = chunk.indexOf(LINE_FEED, start);
    }
    this.#keep(chunk.subarray(start));
  }

  /** Bytes after the last line feed so far; forgets them. */
  takeRest(): Buffer {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    this.#restTooLong = false;
    return rest;
  }

  #emit(piece: Buffer): void {
    if (this.#rest.length > 0) this.#keep(piece);
    const line = this.#rest.length > 0 ? this.takeRest() : piece;
    this.#onLine(line.length > MAX_LINE_BYTES ? line.subarray(0, MAX_LINE_BYTES) : line);
  }

  #keep(piece: Buffer): void {
    if (this.#restTooLong || piece.length === 0) return;
    this.#rest = Buffer.concat([this.#rest, piece.subarray(0, MAX_LINE_BYTES + 1)]);
    this.#restTooLong = this.#rest.length > MAX_LINE_BYTES;
  }
}
