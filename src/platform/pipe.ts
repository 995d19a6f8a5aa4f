/**
 * A framed pipe over an inherited socket: the link between front and keeper and between keeper and token hosts. Reads
 * land in one fixed buffer that is overwritten after each chunk, so secrets in frames do not linger in freed memory.
 * Writes are gathered and flushed after a few frames, or when the current callback ends; gathering a whole
 * tick would make both processes take turns instead of working side by side.
 */
import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net';

export interface PipeOptions {
  /** Frames gathered before a write. */
  readonly flushAfterFrames: number;
  /** What one read brought; overwritten when the call returns. An error thrown here ends the pipe. */
  readonly onData: (chunk: Buffer) => void;
  /** The pipe ended; called once. */
  readonly onClose: (error: Error | undefined) => void;
}

const READ_BUFFER_BYTES = 128 * 1024;

export class Pipe {
  readonly #socket: Socket;
  readonly #options: PipeOptions;
  #gathered: Buffer[] = [];
  #flushPlanned = false;
  #closed = false;
  #reported = false;

  /** Takes over `fd`, a connected stream socket. */
  constructor(fd: number, options: PipeOptions) {
    this.#options = options;
    const buffer = Buffer.alloc(READ_BUFFER_BYTES);
    const socketOptions: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
      fd,
      readable: true,
      writable: true,
      onread: { buffer, callback: (bytes) => this.#onRead(buffer, bytes) },
    };
    this.#socket = new Socket(socketOptions);
    this.#socket.on('error', (error) => {
      this.#end(error);
    });
    this.#socket.on('close', () => {
      this.#end(undefined);
    });
    this.#socket.resume();
  }

  /** Sends one whole frame, its u32 length included. The buffer belongs to the pipe from here on. */
  send(frame: Buffer): void {
    if (this.#closed) return;
    this.#gathered.push(frame);
    if (this.#gathered.length >= this.#options.flushAfterFrames) {
      this.flush();
    } else if (!this.#flushPlanned) {
      this.#flushPlanned = true;
      process.nextTick(() => {
        this.flush();
      });
    }
  }

  /** Sends one frame that holds a secret and overwrites it once the kernel has it. */
  sendSecret(frame: Buffer): void {
    this.flush();
    if (this.#closed) {
      frame.fill(0);
      return;
    }
    this.#socket.write(frame, () => frame.fill(0));
  }

  flush(): void {
    this.#flushPlanned = false;
    const frames = this.#gathered;
    if (frames.length === 0 || this.#closed) return;
    this.#gathered = [];
    const [first] = frames;
    this.#socket.write(frames.length === 1 && first !== undefined ? first : Buffer.concat(frames));
  }

  close(): void {
    this.flush();
    this.#closed = true;
    this.#socket.destroy();
  }

  #onRead(buffer: Buffer, bytes: number): boolean {
    try {
      this.#options.onData(buffer.subarray(0, bytes));
    } catch (error) {
      this.#socket.destroy(error instanceof Error ? error : new Error(String(error)));
    } finally {
      buffer.fill(0, 0, bytes);
    }
    return true;
  }

  #end(error: Error | undefined): void {
    this.#closed = true;
    if (this.#reported) return;
    this.#reported = true;
    this.#socket.destroy();
    this.#options.onClose(error);
  }
}
