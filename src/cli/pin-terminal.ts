/** Asking for a PIN on the controlling terminal without echo. Opens /dev/tty, so that pipes on standard input do not matter. */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import type { OnReadOpts, SocketConstructorOpts } from 'node:net';
import { ReadStream } from 'node:tty';
import { AgentError } from '../errors/agent-error.js';
import { PinLine } from './pin-line.js';

const READ_BYTES = 64;

const SECRETS = { pin: 'PIN', 'root-pin': 'PIN', puk: 'PUK', passphrase: 'passphrase' } as const;

/**
 * Shows the prompt and reads one line.
 * @param option what could have given it instead
 * @throws AgentError usage.invalid without a terminal, usage.interrupted on ^C, limits.deadline
 */
export async function readPinFromTerminal(
  prompt: string,
  timeoutMs: number,
  option: 'pin' | 'root-pin' | 'puk' | 'passphrase' = 'pin',
): Promise<Buffer> {
  const fd = openTerminal(option);
  try {
    return await readLine(fd, prompt, timeoutMs);
  } finally {
    writeSync(fd, '\n');
    closeSync(fd);
  }
}

function openTerminal(option: keyof typeof SECRETS): number {
  try {
    return openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY);
  } catch (cause) {
    throw new AgentError('usage.invalid', {
      message: `asking for the ${SECRETS[option]}: there is no terminal`,
      hint: `give it with --${option}-file FILE or --${option}-fd NUMBER`,
      cause,
    });
  }
}

function readLine(fd: number, prompt: string, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const line = new PinLine();
    const buffer = Buffer.alloc(READ_BYTES);
    // The bytes land in our own buffer, not in one that the runtime drops somewhere.
    const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
      onread: { buffer, callback: (count) => consume(count) },
    };
    const terminal = new ReadStream(fd, options);
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      buffer.fill(0);
      terminal.setRawMode(false);
      terminal.destroy();
      settle();
      line[Symbol.dispose]();
    };
    const fail = (error: AgentError): void => {
      end(() => {
        reject(error);
      });
    };
    const timer = setTimeout(() => {
      fail(new AgentError('limits.deadline', { message: 'asking for the PIN: nothing was entered in time' }));
    }, timeoutMs);
    const consume = (count: number): boolean => {
      for (let index = 0; index < count; index += 1) {
        const state = line.feed(buffer[index] ?? 0);
        if (state === 'open') continue;
        if (state === 'interrupted') fail(new AgentError('usage.interrupted'));
        else {
          end(() => {
            resolve(line.take());
          });
        }
        return false;
      }
      buffer.fill(0);
      return true;
    };
    terminal.on('error', (cause) => {
      fail(
        new AgentError('usage.interrupted', { message: 'asking for the PIN: the terminal went away', cause }),
      );
    });
    terminal.on('end', () => {
      fail(new AgentError('usage.interrupted', { message: 'asking for the PIN: the terminal went away' }));
    });
    // Echo is off before anybody is asked: what is typed at once must not show either.
    terminal.setRawMode(true);
    writeSync(fd, prompt);
    terminal.resume();
  });
}
