/** Asks through pinentry, in whatever flavour is installed: the Assuan protocol on its standard input and output. */
import { accessSync, constants } from 'node:fs';
import { AgentError } from '../../errors/agent-error.js';
import { AssuanLines, commandLine, type AssuanReply } from './assuan.js';
import { withPromptProgram, type PromptQuestion, type PromptTalk } from './prompt-program.js';

/** Not PATH: that is whatever the agent was started with. */
const USUAL_PLACES = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'].map((bin) => `${bin}/pinentry`);

/** Low 16 bits of libgpg-error's codes: canceled, fully canceled, timeout. */
const CODE_MASK = 0xffff;
const CANCELLED: ReadonlySet<number> = new Set([99, 198]);
const TIMED_OUT = 62;

const MAX_PIN_BYTES = 512;
/** Pinentry ends by itself when the person is late; this much later it has hung. Milliseconds. */
const GRACE_MS = 2_000;

/** Path of the system's pinentry. @throws AgentError `prompt.failed` */
export function findPinentry(): string {
  const found = USUAL_PLACES.find(isExecutable);
  if (found !== undefined) return found;
  throw new AgentError('prompt.failed', {
    message: `looking for pinentry: it is not in ${USUAL_PLACES.join(', ')}`,
    hint: 'install pinentry, or name its path in touchstone.toml: pin = { pinentry = "/path" }',
  });
}

/**
 * The PIN that a person entered; the caller overwrites it.
 * @throws AgentError `prompt.cancelled`, `prompt.timeout`, `prompt.failed`, `limits.cancelled`
 */
export function askPinentry(question: PromptQuestion): Promise<Buffer> {
  const timed = { ...question, timeoutMs: question.timeoutMs + GRACE_MS };
  const { display } = question.place;
  // Flavours with windows choose the display when they start.
  const argv = display === undefined ? [] : ['--display', display];
  return withPromptProgram(timed, argv, async (talk) => {
    const session = new PinentrySession(talk);
    try {
      await session.greeted();
      for (const [command, parameter] of preparations(question)) await session.say(command, parameter);
      return await session.getPin();
    } finally {
      session.wipe();
    }
  });
}

/** Every flavour takes the three that describe; one that does not know an option goes on without it. */
function preparations({ place, ...question }: PromptQuestion): readonly (readonly [string, string])[] {
  const options = [
    ['ttyname', place.tty],
    ['ttytype', place.type],
    ['lc-ctype', place.locale],
  ] as const;
  return [
    ...options.flatMap(([name, value]) =>
      value === undefined ? [] : [['OPTION', `${name}=${value}`] as const],
    ),
    ['SETTIMEOUT', String(Math.max(1, Math.floor(question.timeoutMs / 1000)))],
    ['SETTITLE', 'Touchstone'],
    ['SETDESC', question.description],
    ['SETPROMPT', question.prompt],
    ...(question.problem === undefined ? [] : [['SETERROR', question.problem] as const]),
  ];
}

class PinentrySession {
  readonly #stdin: PromptTalk['stdin'];
  readonly #lines = new AssuanLines();
  #pin = Buffer.alloc(0);
  #waiting:
    { readonly resolve: (reply: AssuanReply) => void; readonly reject: (e: unknown) => void } | undefined;
  readonly #greeting: Promise<AssuanReply>;

  constructor({ stdin, onData, onEnd }: PromptTalk) {
    this.#stdin = stdin;
    this.#greeting = this.#answer();
    onData((chunk) => {
      try {
        this.#lines.push(chunk, (reply) => {
          this.#take(reply);
        });
      } catch (error) {
        this.#waiting?.reject(error);
      }
    });
    onEnd(() => {
      this.#waiting?.reject(failed('it ended without an answer'));
    });
  }

  async greeted(): Promise<void> {
    if ((await this.#greeting).kind !== 'ok') throw failed('it does not greet');
  }

  /** An option or a text; refusals are for the flavour to decide. */
  async say(command: string, parameter?: string): Promise<AssuanReply> {
    const answer = this.#answer();
    this.#stdin.write(commandLine(command, parameter));
    return answer;
  }

  async getPin(): Promise<Buffer> {
    const reply = await this.say('GETPIN');
    if (reply.kind === 'ok') return Buffer.from(this.#pin);
    const code = reply.kind === 'error' ? reply.code & CODE_MASK : 0;
    if (CANCELLED.has(code)) throw new AgentError('prompt.cancelled');
    if (code === TIMED_OUT) throw new AgentError('prompt.timeout');
    throw failed(`it cannot ask, error ${code}`);
  }

  wipe(): void {
    this.#pin.fill(0);
    this.#lines.wipe();
  }

  #take(reply: AssuanReply): void {
    if (reply.kind === 'other') return;
    if (reply.kind !== 'data') {
      this.#waiting?.resolve(reply);
      return;
    }
    const before = this.#pin;
    this.#pin = Buffer.concat([before, reply.bytes]);
    before.fill(0);
    reply.bytes.fill(0);
    if (this.#pin.length > MAX_PIN_BYTES) throw failed('the PIN is too long');
  }

  #answer(): Promise<AssuanReply> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function failed(what: string): AgentError {
  return new AgentError('prompt.failed', { message: `asking through pinentry: ${what}` });
}
