/** The Assuan client and the askpass runner against programs that behave, and that do not. */
import { chmodSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/errors/agent-error.js';
import { askAskpass } from '../../src/platform/prompt/askpass.js';
import { AssuanLines, commandLine, type AssuanReply } from '../../src/platform/prompt/assuan.js';
import { askPinentry } from '../../src/platform/prompt/pinentry.js';
import type { PromptQuestion } from '../../src/platform/prompt/prompt-program.js';
import { waitForExit } from '../support/process-tree.js';
import { assuanScript, PromptScript } from '../support/prompt-script.js';
import { rejectionOf } from '../support/rejection.js';

function question(program: string, changes: Partial<PromptQuestion> = {}): PromptQuestion {
  const end = new AbortController();
  return {
    program,
    description: 'Token "release"\nuid 1000 & 100%',
    prompt: 'PIN:',
    place: { tty: '/dev/pts/99', type: 'xterm', locale: 'C.UTF-8' },
    timeoutMs: 20_000,
    signal: end.signal,
    ...changes,
  };
}

function repliesTo(...chunks: readonly string[]): AssuanReply[] {
  const lines = new AssuanLines();
  const replies: AssuanReply[] = [];
  for (const chunk of chunks) lines.push(Buffer.from(chunk, 'latin1'), (reply) => replies.push(reply));
  return replies;
}

describe('Assuan lines', () => {
  it('are cut, unescaped and told apart, whatever the chunks', () => {
    expect(repliesTo('OK ple', 'ased\nD 12%2', '534%0A\r\n# note\nS INFO\nERR 83886179 no\n')).toEqual([
      { kind: 'ok' },
      { kind: 'data', bytes: Buffer.from('12%34\n') },
      { kind: 'other' },
      { kind: 'other' },
      { kind: 'error', code: 83_886_179 },
    ]);
  });

  it('leave nothing in the chunk they came in', () => {
    const chunk = Buffer.from('D 123456\n');
    new AssuanLines().push(chunk, () => undefined);
    expect(chunk.equals(Buffer.alloc(chunk.length))).toBe(true);
  });

  it('of any bytes are replies or an AgentError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
        try {
          new AssuanLines().push(Buffer.from(bytes), (reply) => {
            expect(['ok', 'error', 'data', 'other']).toContain(reply.kind);
          });
        } catch (error) {
          expect(error).toBeInstanceOf(AgentError);
        }
      }),
    );
  });

  it('that we send hold any text in one line of at most 1,000 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => {
        const line = commandLine('SETDESC', text);
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(1000);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(line).not.toMatch(/[\0\r]/);
        expect(decodeURIComponent(line.slice('SETDESC '.length, -1)).length).toBeLessThanOrEqual(text.length);
      }),
    );
  });
});

describe('pinentry', () => {
  it('gets the facts escaped, and its answer comes back as bytes', async () => {
    using script = assuanScript('D 12%25\nD 34\nOK\n');
    const pin = await askPinentry(question(script.path, { problem: 'the PIN is wrong' }));
    expect(pin).toEqual(Buffer.from('12%34'));
    expect(script.heard.split('\n').slice(1)).toEqual([
      'OPTION ttyname=/dev/pts/99',
      'OPTION ttytype=xterm',
      'OPTION lc-ctype=C.UTF-8',
      'SETTIMEOUT 20',
      'SETTITLE Touchstone',
      'SETDESC Token "release"%0Auid 1000 & 100%25',
      'SETPROMPT PIN:',
      'SETERROR the PIN is wrong',
      'GETPIN',
      '',
    ]);
  });

  it.each([
    { what: 'a cancel', says: 'ERR 83886179 Operation cancelled\n', code: 'prompt.cancelled' },
    { what: 'a closed window', says: 'ERR 83886278 Fully cancelled\n', code: 'prompt.cancelled' },
    { what: 'a time-out', says: 'ERR 83886142 Timeout\n', code: 'prompt.timeout' },
    { what: 'an error', says: 'ERR 83918950 No terminal\n', code: 'prompt.failed' },
    { what: 'garbage', says: 'what do you want?\n', code: 'prompt.failed' },
    { what: 'a line without end', says: 'D '.padEnd(5000, '1'), code: 'prompt.failed' },
    { what: 'endless talk', says: '# and then\n'.repeat(200), code: 'prompt.failed' },
    { what: 'a wrong escape', says: 'D %zz\nOK\n', code: 'prompt.failed' },
    { what: 'a novel', says: `${`D ${'1'.repeat(900)}\n`.repeat(3)}OK\n`, code: 'prompt.failed' },
  ])('that answers with $what is $code', async ({ says, code }) => {
    using script = assuanScript(says);
    const refused = await rejectionOf(askPinentry(question(script.path)));
    expect(refused.code).toBe(code);
    expect(JSON.stringify(refused.toData())).not.toMatch(/1111|what do you/);
  });

  it('that ends at once, cannot run or belongs to others is a failure', async () => {
    using script = new PromptScript('process.exit(0)');
    expect((await rejectionOf(askPinentry(question(script.path)))).code).toBe('prompt.failed');
    chmodSync(script.path, 0o600);
    expect((await rejectionOf(askPinentry(question(script.path)))).code).toBe('prompt.failed');
    chmodSync(script.path, 0o777);
    expect((await rejectionOf(askPinentry(question(script.path)))).message).toContain('others can change it');
    expect((await rejectionOf(askPinentry(question('/nowhere/pinentry')))).message).toContain('ENOENT');
  });

  it('that hangs is ended by the deadline, and by who asked', async () => {
    using script = new PromptScript('hear(String(process.pid)); setInterval(() => {}, 1000)');
    expect((await rejectionOf(askPinentry(question(script.path, { timeoutMs: 100 })))).code).toBe(
      'prompt.timeout',
    );
    expect(await waitForExit([Number(script.heard)], 5000)).toEqual([]);
    using second = assuanScript('');
    const end = new AbortController();
    const asking = rejectionOf(askPinentry(question(second.path, { signal: end.signal })));
    await expect.poll(() => second.heard, { timeout: 45_000 }).toContain('GETPIN');
    end.abort();
    expect((await asking).code).toBe('limits.cancelled');
    expect(await waitForExit([Number(/pid (\d+)/.exec(second.heard)?.[1])], 5000)).toEqual([]);
  });
});

describe('askpass', () => {
  it('gets the question as its argument and gives its first line', async () => {
    using script = new PromptScript(
      `hear(JSON.stringify([process.argv.slice(2), process.env.TERM])); console.log('1 2\\nmore');`,
    );
    const pin = await askAskpass(question(script.path, { problem: 'the PIN is wrong' }));
    expect(pin).toEqual(Buffer.from('1 2'));
    expect(JSON.parse(script.heard)).toEqual([
      ['the PIN is wrong\n\nToken "release"\nuid 1000 & 100%\n\nPIN: '],
      'xterm',
    ]);
  });

  it.each([
    { what: 'ends with status 1', body: 'process.exit(1)', code: 'prompt.cancelled' },
    { what: 'is killed', body: `process.kill(process.pid, 'SIGKILL')`, code: 'prompt.failed' },
    { what: 'says too much', body: `console.log('1'.repeat(5000))`, code: 'prompt.failed' },
    { what: 'hangs', body: 'setInterval(() => {}, 1000)', code: 'prompt.timeout' },
  ])('that $what is $code', async ({ body, code }) => {
    using script = new PromptScript(body);
    const timeoutMs = code === 'prompt.timeout' ? 100 : 20_000;
    expect((await rejectionOf(askAskpass(question(script.path, { timeoutMs })))).code).toBe(code);
  });
});
