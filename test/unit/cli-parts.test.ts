/** The small parts of the command line: option values, durations, tables, errors, PIN lines. */
import { describe, expect, it } from 'vitest';
import { checkClock } from '../../src/cli/checks/records.js';
import { statusChecks } from '../../src/cli/checks/agent.js';
import { checkNode } from '../../src/cli/checks/installation.js';
import { renderRecord } from '../../src/cli/commands/audit-show.js';
import { readGlobalFlags } from '../../src/cli/context.js';
import { parseDuration } from '../../src/cli/duration.js';
import { exactHint } from '../../src/cli/exact-hint.js';
import { errorDocument, renderError } from '../../src/cli/error-text.js';
import { OptionValues } from '../../src/cli/option-values.js';
import { MAX_PIN_BYTES, PinLine } from '../../src/cli/pin-line.js';
import { counted, renderFields, renderTable } from '../../src/cli/table.js';
import { AgentError } from '../../src/errors/agent-error.js';
import { codeOf, thrownBy } from '../support/error-code.js';

describe('durations', () => {
  it.each([
    ['90', 90],
    ['90s', 90],
    ['30m', 1_800],
    ['8h', 28_800],
    ['7d', 604_800],
    ['365d', 31_536_000],
  ])('%s', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each(['', '0', '0h', '-1', '1.5h', '8 h', '8H', '1w', '366d', '999999999', 'h'])(
    '%j is none',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
});

describe('option values', () => {
  const options = new OptionValues({
    pinFile: '/pin',
    json: true,
    color: false,
    kind: ['a', 'b'],
    uses: '12',
    for: '2h',
    empty: '',
    none: undefined,
  });

  it('are read by the name a person types', () => {
    expect(options.text('pin-file')).toBe('/pin');
    expect(options.flag('json')).toBe(true);
    expect(options.flag('quiet')).toBe(false);
    expect(options.isOff('color')).toBe(true);
    expect(options.list('kind')).toEqual(['a', 'b']);
    expect(options.list('key')).toEqual([]);
    expect(options.integer('uses', { min: 1, max: 12 })).toBe(12);
    expect(options.seconds('for')).toBe(7_200);
    expect(options.choice('pin-file', ['/pin', '/other'])).toBe('/pin');
    expect(options.text('none')).toBeUndefined();
  });

  it.each([
    ['60', 60 * 86_400],
    ['60d', 60 * 86_400],
    ['0', 0],
    ['12h', 12 * 3_600],
    ['10950', 10_950 * 86_400],
  ])('look ahead: %s', (within, seconds) => {
    expect(new OptionValues({ within }).ahead('within')).toBe(seconds);
  });

  it.each(['10951d', 'soon', '-1', '1.5'])('do not look ahead: %s', (within) => {
    expect(codeOf(() => new OptionValues({ within }).ahead('within'))).toBe('usage.invalid');
  });

  it.each([
    ['empty', (): unknown => options.text('empty')],
    ['key', (): unknown => options.requiredText('key')],
    ['uses', (): unknown => options.integer('uses', { min: 1, max: 11 })],
    ['for', (): unknown => options.integer('for', { min: 1, max: 11 })],
    ['pin-file', (): unknown => options.seconds('pin-file')],
    ['pin-file', (): unknown => options.choice('pin-file', ['x'])],
  ])('that are wrong name --%s', (name, read) => {
    const error = thrownBy(read);
    expect(error.code).toBe('usage.invalid');
    expect(error.message).toContain(`--${name}:`);
  });
});

describe('global flags', () => {
  const flags = (values: object, env = {}, isTerminal = true): ReturnType<typeof readGlobalFlags> =>
    readGlobalFlags(new OptionValues(values as Record<string, unknown>), env, isTerminal);

  it('turn colour off for everything that asks for it', () => {
    expect(flags({}).colour).toBe(true);
    expect(flags({}, {}, false).colour).toBe(false);
    expect(flags({ color: false }).colour).toBe(false);
    expect(flags({}, { NO_COLOR: '1' }).colour).toBe(false);
    expect(flags({}, { NO_COLOR: '' }).colour).toBe(true);
    expect(flags({}, { TERM: 'dumb' }).colour).toBe(false);
  });

  it('turn --timeout into milliseconds and refuse silly ones', () => {
    expect(flags({ timeout: '2' }).timeoutMs).toBe(2_000);
    expect(flags({}).timeoutMs).toBeUndefined();
    expect(codeOf(() => flags({ timeout: '2d' }))).toBe('usage.invalid');
    expect(codeOf(() => flags({ timeout: 'soon' }))).toBe('usage.invalid');
  });
});

describe('errors', () => {
  const error = new AgentError('key.unknown', {
    message: 'no key a/b#ssh',
    hint: 'see "touchstone key list"',
    details: { key: 'a/b#ssh' },
    cause: new Error('the first cause'),
  });

  it('are two lines, more when asked for', () => {
    const plain = { colour: false, verbose: false, debug: false };
    expect(renderError(error, plain)).toBe(
      'touchstone: error: no key a/b#ssh\nhint: see "touchstone key list"\n',
    );
    const verbose = renderError(error, { ...plain, verbose: true });
    expect(verbose).toContain('code: key.unknown\nkey: a/b#ssh\ncause: the first cause\n');
    expect(verbose).not.toContain('    at ');
    expect(renderError(error, { ...plain, verbose: true, debug: true })).toContain('    at ');
    expect(renderError(error, { ...plain, colour: true })).toContain('\u001b[31merror:\u001b[0m');
  });

  it('are one document with --json', () => {
    expect(errorDocument(error)).toEqual({
      error: {
        code: 'key.unknown',
        message: 'no key a/b#ssh',
        hint: 'see "touchstone key list"',
        retry: 'after-user-action',
        details: { key: 'a/b#ssh' },
      },
    });
  });
});

describe('hints', () => {
  const shown = (error: AgentError, words: string, ...args: readonly string[]): string =>
    exactHint(error, words, args);

  it('of a mistake in the command line name the help of that command', () => {
    const mistake = new AgentError('usage.invalid', { message: 'option --days: a whole number is needed' });
    expect(shown(mistake, 'touchstone trust init')).toBe('see "touchstone trust init --help"');
    const better = new AgentError('usage.invalid', { hint: 'add --confirm NAME' });
    expect(shown(better, 'touchstone trust delete')).toBe('add --confirm NAME');
  });

  it('about a repository name it', () => {
    const gun = 'registry.example/acme/app';
    const missing = new AgentError('notary.missing');
    const exact = `begin with "touchstone trust init ${gun}"`;
    expect(shown(missing, 'touchstone trust list', gun)).toBe(exact);
    expect(shown(missing, 'touchstone trust sign', `${gun}:1.0`, `${gun}:2.0`)).toBe(exact);
    expect(shown(missing, 'touchstone trust signer remove', gun, 'bob')).toBe(exact);
    expect(shown(missing, 'touchstone trust key rotate', gun, 'targets/alice')).toBe(exact);
    const told = new AgentError('notary.missing', { details: { repository: gun } });
    expect(shown(told, 'touchstone trust watch', gun, 'registry.example/acme/other')).toBe(exact);
  });

  it('keep the placeholder where several could be meant, and everywhere else', () => {
    const missing = new AgentError('notary.missing');
    const args = ['registry.example/acme/app', 'registry.example/acme/other'];
    expect(shown(missing, 'touchstone trust watch', ...args)).toBe(missing.hint);
    expect(shown(missing, 'touchstone trust pin', 'registry.example/acme/*')).toBe(missing.hint);
    const name = new AgentError('key.name-invalid');
    expect(shown(name, 'touchstone key derive', 'registry.example/acme/app')).toBe(name.hint);
  });
});

describe('tables', () => {
  it('pad columns and leave nothing after the last', () => {
    expect(
      renderTable(
        ['key', 'state'],
        [
          ['a', 'active'],
          ['longer', ''],
        ],
      ),
    ).toBe('KEY     STATE\na       active\nlonger');
    expect(
      renderFields([
        ['a', 1],
        ['long', 'x'],
        ['none', undefined],
      ]),
    ).toBe('a:    1\nlong: x');
    expect([counted(1, 'line'), counted(0, 'line')]).toEqual(['1 line', '0 lines']);
  });

  it('show each type of audit record on one line', () => {
    const head = { seq: 4, time: '2026-01-01T00:00:00Z' };
    const peer = { uid: 7, gid: 7, pid: 8 };
    const refused = {
      ...head,
      type: 'refuse',
      peer,
      key: 'a#ssh',
      kind: 'digest',
      code: 'policy.denied',
      message: 'no',
    };
    expect(renderRecord(refused)).toBe(
      '4  2026-01-01T00:00:00Z  refuse  uid 7 a#ssh digest policy.denied: no',
    );
    for (const type of ['sign', 'act', 'start', 'checkpoint', 'continue', 'unreleased', 'of-tomorrow']) {
      expect(renderRecord({ ...head, type })).toMatch(
        new RegExp(`^4 {2}2026-01-01T00:00:00Z {2}${type}[^\\n]*$`),
      );
    }
  });
});

describe('health', () => {
  it('knows old versions of Node and clocks that went back', () => {
    expect(['20.18.9', '18.20.0', '20.19.0', '22.0.0'].map((version) => checkNode(version).outcome)).toEqual([
      'fail',
      'fail',
      'ok',
      'ok',
    ]);
    const keyring = { leaves: () => [{ createdAt: '2026-01-01T00:00:00Z' }] } as unknown as Parameters<
      typeof checkClock
    >[0];
    expect(checkClock(keyring, Date.parse('2026-01-01T00:00:01Z')).outcome).toBe('ok');
    expect(checkClock(keyring, Date.parse('2025-12-31T23:59:59Z')).outcome).toBe('fail');
  });

  it('reads trouble out of a status and gives a fix for each', () => {
    const token = { kind: 'pkcs11', name: 't', uri: '', module: '', onRemoval: 'keep' } as const;
    const problem = { code: 'policy.invalid', message: 'line 3', hint: 'correct it' };
    const checks = statusChecks({
      agent: '1',
      pid: 1,
      frontPid: 2,
      startedAt: '',
      socket: '/s',
      domain: null,
      tokens: [
        { ...token, state: 'present', triesLeft: 'last' },
        { ...token, state: 'present', triesLeft: 'locked' },
        { ...token, state: 'degraded', reason: { ...problem } },
        { ...token, state: 'absent' },
        { ...token, state: 'unlocked' },
      ],
      leases: [],
      keys: { total: 0, active: 0, loaded: 0 },
      orders: { count: 0, hash: '' },
      audit: { sequence: 0, head: '', unsealed: 0, writable: false },
      policy: { file: '/p', rules: 0, problem },
      connections: 1,
    });
    expect(checks.map(({ outcome }) => outcome)).toEqual([
      'ok',
      'fail',
      'fail',
      'warn',
      'fail',
      'fail',
      'warn',
      'ok',
    ]);
    expect(checks.filter(({ outcome, fix }) => (outcome === 'ok') !== (fix === undefined))).toEqual([]);
  });
});

describe('a PIN line', () => {
  function typed(bytes: readonly number[] | string): { readonly state: string; readonly text: string } {
    using line = new PinLine();
    let state = 'open';
    for (const byte of Buffer.from(bytes as string)) state = line.feed(byte);
    return { state, text: line.take().toString('utf8') };
  }

  it.each([
    ['1234\r', 'done', '1234'],
    ['1234\n', 'done', '1234'],
    ['12x\u007f34\r', 'done', '1234'],
    ['12x\b34\r', 'done', '1234'],
    ['grün\u007f\u007f\u007fras\r', 'done', 'gras'],
    ['wrong\u0015right\r', 'done', 'right'],
    ['\u007f\u007f1\r', 'done', '1'],
    ['12\u0004', 'done', '12'],
    ['\u0004', 'interrupted', ''],
    ['12\u0003', 'interrupted', '12'],
    ['1\u0009\u001b2\r', 'done', '12'],
    ['\r', 'done', ''],
    ['12', 'open', '12'],
  ])('%j is %s with %j', (input, state, text) => {
    expect(typed(input)).toEqual({ state, text });
  });

  it('drops what is longer than any PIN, and forgets what was taken', () => {
    using line = new PinLine();
    for (let count = 0; count < MAX_PIN_BYTES + 10; count += 1) line.feed(0x31);
    expect(line.take()).toHaveLength(MAX_PIN_BYTES);
    expect(line.take()).toHaveLength(0);
  });
});
