/** Where PINs come from: a real terminal without echo, private files, descriptors; and what is refused. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram, TOUCHSTONE, type CommandResult } from '../support/demo-agent.js';
import { ScriptedAgent } from '../support/scripted-agent.js';
import { ScriptedUnlock, type UnlockScript } from '../support/scripted-unlock.js';
import { TempFolder } from '../support/temp-folder.js';
import { TerminalSession } from '../support/terminal-session.js';

const PIN = '73519246';

let folder: TempFolder;
let environment: NodeJS.ProcessEnv;
beforeEach(() => {
  folder = new TempFolder();
  environment = {
    ...process.env,
    HOME: folder.path,
    TOUCHSTONE_CONFIG: folder.join('touchstone.toml'),
    TOUCHSTONE_STATE: folder.join('state'),
    TOUCHSTONE_SOCK: folder.join('agent.sock'),
  };
});
afterEach(() => {
  folder[Symbol.dispose]();
});

async function withAgent(
  script: UnlockScript,
  use: (unlock: ScriptedUnlock) => Promise<void>,
): Promise<void> {
  const unlock = new ScriptedUnlock(script);
  await using agent = await ScriptedAgent.listen(folder.join('agent.sock'), unlock.answer);
  await use(unlock);
  expect(agent.requests[0]?.method).toBe('hello');
}

/** Without a controlling terminal: setsid gives the command a session of its own. */
function unlockWithoutTerminal(argv: readonly string[]): Promise<CommandResult> {
  return runProgram('setsid', ['-w', process.execPath, TOUCHSTONE, 'unlock', ...argv], { environment });
}

function pinFile(content: string | Uint8Array, mode = 0o600): string {
  const file = folder.join('pin');
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

function terminal(argv: readonly string[], before = '', after = ''): TerminalSession {
  const command = [process.execPath, TOUCHSTONE, 'unlock', ...argv].map((word) => `'${word}'`).join(' ');
  return new TerminalSession(`${before}${command}${after}`, environment);
}

describe('a PIN typed at a terminal', () => {
  it('does not show, arrives sealed, and leaves the terminal as it was', async () => {
    await withAgent({ pin: PIN }, async (unlock) => {
      await using session = terminal([], '', '; echo "status $?"; stty -a');
      await session.waitFor('PIN for token "release token" (serial 0123abcd), all tries left: ');
      session.type(`${PIN}x\u007f\r`);
      await session.waitFor('status 0');
      await session.ended();
      expect(unlock.entered).toEqual([PIN]);
      expect(session.shown).toContain('token "release" unlocked: 1 key loaded until 2030-01-01T00:00:00Z');
      expect(session.shown).not.toContain(PIN);
      expect(session.shown).toMatch(/(?<!-)\becho\b/);
      expect(session.shown).toMatch(/(?<!-)\bicanon\b/);
    });
  });

  it('may be typed again when it was wrong, three times in all', async () => {
    await withAgent({ pin: PIN }, async (unlock) => {
      await using session = terminal([]);
      for (let entry = 1; entry <= 3; entry += 1) {
        await session.waitFor('tries left: ', entry);
        session.type('1111\r');
      }
      expect(await session.ended()).toBe(4);
      expect(unlock.entered).toEqual(['1111', '1111', '1111']);
      expect(session.shown.split('the PIN is wrong')).toHaveLength(4);
    });
  });

  it('is not asked for after the right one at the second entry', async () => {
    await withAgent({ pin: PIN }, async (unlock) => {
      await using session = terminal([]);
      await session.waitFor('tries left: ');
      session.type('1111\r');
      await session.waitFor('tries left: ', 2);
      session.type(`${PIN}\r`);
      expect(await session.ended()).toBe(0);
      expect(unlock.entered).toEqual(['1111', PIN]);
    });
  });

  it('can be given up with ^C, and the terminal echoes again', async () => {
    await withAgent({ pin: PIN }, async (unlock) => {
      await using session = terminal([], '', '; echo "status $?"; stty -a');
      await session.waitFor('tries left: ');
      session.type('12\u0003');
      await session.waitFor('status 130');
      await session.ended();
      expect(session.shown).toMatch(/(?<!-)\becho\b/);
      expect(unlock.entered).toEqual([]);
    });
  });

  it('is typed twice when it is new', async () => {
    await withAgent({ pin: PIN, initialised: false }, async (unlock) => {
      await using session = terminal([]);
      await session.waitFor('New PIN for token');
      session.type(`${PIN}\r`);
      await session.waitFor('The same PIN again: ');
      session.type('other\r');
      await session.waitFor('the two entries differ');
      await session.waitFor('New PIN for token', 2);
      session.type(`${PIN}\r`);
      await session.waitFor('The same PIN again: ', 2);
      session.type(`${PIN}\r`);
      expect(await session.ended()).toBe(0);
      expect(unlock.entered).toEqual([PIN]);
    });
  });

  it('is not even asked for when one try is left, unless its serial was typed', async () => {
    await withAgent({ pin: PIN, triesLeft: 'last' }, async (unlock) => {
      await using refused = terminal([]);
      expect(await refused.ended()).toBe(4);
      expect(refused.shown).toContain('add --use-last-try 0123abcd');
      await using session = terminal(['--use-last-try', '0123abcd']);
      await session.waitFor('one try left: ');
      session.type(`${PIN}\r`);
      expect(await session.ended()).toBe(0);
      expect(unlock.entered).toEqual([PIN]);
    });
  });
});

describe('a PIN from a file', () => {
  it.each([
    ['with a line feed', `${PIN}\n`],
    ['without one', PIN],
  ])('%s', async (_, content) => {
    await withAgent({ pin: PIN }, async (unlock) => {
      const result = await unlockWithoutTerminal(['--pin-file', pinFile(content)]);
      expect([result.status, unlock.entered]).toEqual([0, [PIN]]);
    });
  });

  it('is tried once, never again', async () => {
    await withAgent({ pin: PIN }, async (unlock) => {
      const result = await unlockWithoutTerminal(['--pin-file', pinFile('1111\n')]);
      expect([result.status, unlock.entered]).toEqual([4, ['1111']]);
    });
  });

  it('is refused for the last try and for a locked PIN', async () => {
    for (const triesLeft of ['last', 'locked'] as const) {
      await withAgent({ pin: PIN, triesLeft }, async (unlock) => {
        const argv = ['--pin-file', pinFile(PIN), '--use-last-try', 'another'];
        expect([(await unlockWithoutTerminal(argv)).status, unlock.entered]).toEqual([4, []]);
      });
    }
  });

  it('is refused when others could read it, when it is no file, or holds no PIN', async () => {
    mkdirSync(folder.join('folder'));
    execFileSync('mkfifo', ['-m', '600', folder.join('pipe')]);
    const cases: readonly (readonly [() => string, string, number])[] = [
      [() => pinFile(PIN, 0o640), 'others can read it', 1],
      [() => pinFile(''), 'it holds no PIN', 4],
      [() => pinFile('\n'), 'it holds no PIN', 4],
      [() => pinFile('1'.repeat(600)), 'longer than a PIN can be', 4],
      [() => folder.join('missing'), 'no such file', 1],
      [() => folder.join('folder'), 'not a regular file', 1],
      [() => folder.join('pipe'), 'not a regular file', 1],
    ];
    await withAgent({ pin: PIN }, async (unlock) => {
      for (const [file, words, status] of cases) {
        const result = await unlockWithoutTerminal(['--pin-file', file()]);
        expect(result.stderr).toContain(words);
        expect(result.status).toBe(status);
      }
      expect(unlock.entered).toEqual([]);
    });
  });

  it('may be reached through a link, which systemd credentials are', async () => {
    symlinkSync(pinFile(PIN), folder.join('link'));
    await withAgent({ pin: PIN }, async (unlock) => {
      const result = await unlockWithoutTerminal(['--pin-file', folder.join('link')]);
      expect([result.status, unlock.entered]).toEqual([0, [PIN]]);
    });
  });
});

describe('a PIN from a descriptor', () => {
  function throughShell(line: string): Promise<CommandResult> {
    const command = `'${process.execPath}' '${TOUCHSTONE}' unlock`;
    return runProgram('sh', ['-c', line.replace('unlock', () => command)], {
      environment,
      input: `${PIN}\n`,
    });
  }

  it('is read to its end', async () => {
    await withAgent({ pin: PIN }, async (unlock) => {
      pinFile(PIN);
      expect((await throughShell(`unlock --pin-fd 7 7< '${folder.join('pin')}'`)).status).toBe(0);
      expect((await throughShell('unlock --pin-fd 0')).status).toBe(0);
      expect(unlock.entered).toEqual([PIN, PIN]);
    });
  });

  it('is refused when it is closed, a terminal, or not alone', async () => {
    await withAgent({ pin: PIN }, async (unlock) => {
      const closed = await throughShell('unlock --pin-fd 999');
      expect([closed.status, closed.stderr.includes('left no such descriptor open')]).toEqual([1, true]);
      await using session = terminal(['--pin-fd', '0']);
      expect(await session.ended()).toBe(2);
      expect(session.shown).toContain('a terminal would show the PIN');
      const both = await unlockWithoutTerminal(['--pin-fd', '0', '--pin-file', pinFile(PIN)]);
      expect([both.status, unlock.entered]).toEqual([2, []]);
    });
  });
});

it('without terminal, file or descriptor there is no PIN, and a hint', async () => {
  await withAgent({ pin: PIN }, async (unlock) => {
    const result = await unlockWithoutTerminal([]);
    expect([result.status, unlock.entered]).toEqual([2, []]);
    expect(result.stderr).toContain('--pin-file FILE or --pin-fd NUMBER');
  });
});
