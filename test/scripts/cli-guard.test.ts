/** `touchstone guard`, as a person and as a script use it. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentClient } from '../../src/client/client.js';
import { guardAbandon, type StoredCheck } from '../../src/cli/commands/guard-abandon.js';
import type { CliContext } from '../../src/cli/context.js';
import { OptionValues } from '../../src/cli/option-values.js';
import type { Result } from '../../src/protocol/methods.js';
import { connectTo, outcomeOf } from '../support/agent-client.js';
import { runProgram, startDemoAgent, TOUCHSTONE, type DemoAgent } from '../support/demo-agent.js';
import { rejectionOf } from '../support/rejection.js';
import { hashOf, targetsBytes } from '../support/repository-metadata.js';
import { TerminalSession } from '../support/terminal-session.js';

/** Nobody listens there. */
const REPOSITORY = 'localhost:1/acme/app';
const KEY = `${REPOSITORY}#targets`;

describe('touchstone guard', () => {
  let agent: DemoAgent;
  let client: AgentClient;
  let version = 0;

  beforeAll(async () => {
    agent = await startDemoAgent();
    client = await connectTo(agent);
    expect(await agent.must(['guard', 'show'])).toBe('nothing was signed yet\n');
    await agent.derive(KEY);
  });
  afterAll(async () => {
    client.close();
    await agent[Symbol.asyncDispose]();
  });

  function document(tag: string): Buffer {
    return targetsBytes(version, { [tag]: 'x' });
  }

  async function signNext(): Promise<void> {
    version += 1;
    const payload = document('first');
    expect(await outcomeOf(client, { key: KEY, kind: 'notary.targets', payload })).toBe('signed');
  }

  function signSecond(): Promise<string> {
    return outcomeOf(client, { key: KEY, kind: 'notary.targets', payload: document('second') });
  }

  it('shows what is signed and what is published', async () => {
    await signNext();
    const sha256 = hashOf(document('first'));
    const shown = await agent.must(['guard', 'show', REPOSITORY]);
    expect(shown).toMatch(/^REPOSITORY +ROLE +PUBLISHED +SIGNED, NOT PUBLISHED\n/);
    expect(shown).toContain(`targets  -          version 1 sha256:${sha256.slice(0, 16)}`);
    await client.call('guard.published', { repository: REPOSITORY, role: 'targets', version, sha256 });
    const { entries } = JSON.parse(await agent.must(['guard', 'show', '--json'])) as Result<'guard.show'>;
    expect(entries).toEqual([
      { repository: REPOSITORY, role: 'targets', published: { version, sha256 }, signed: null },
    ]);
    expect(await agent.must(['guard', 'show', 'docker.io/acme/other'])).toBe('nothing was signed yet\n');
  });

  it('abandons nothing where nothing is signed and unpublished', async () => {
    const refused = await agent.touchstone(['guard', 'abandon', KEY, '--version', '1']);
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain('nothing is signed and unpublished');
  });

  it('gives a version up for a script that names it, and says when no server could be asked', async () => {
    await signNext();
    expect(await signSecond()).toBe('guard.conflict');
    const wrong = await agent.touchstone(['guard', 'abandon', KEY, '--version', '1']);
    expect(wrong.status).toBe(2);
    expect(wrong.stderr).toContain('nothing was changed');
    expect(await signSecond()).toBe('guard.conflict');
    const result = await agent.touchstone(['guard', 'abandon', KEY, '--version', '2', '--json']);
    expect(result.stderr).toContain(
      `version 2 is signed and not published, sha256 ${hashOf(document('first'))}`,
    );
    expect(result.stderr).toContain('nobody asked the server');
    expect(JSON.parse(result.stdout)).toMatchObject({ role: 'targets', version: 2, server: 'unknown' });
    expect(await signSecond()).toBe('signed');
  });

  it('asks a person to type the version', async () => {
    await signNext();
    const line = `'${process.execPath}' '${TOUCHSTONE}' guard abandon '${KEY}'`;
    {
      await using session = new TerminalSession(line, agent.environment);
      await session.waitFor('type 3 to give it up: ');
      session.type('yes\r');
      expect(await session.ended()).toBe(2);
    }
    expect(await signSecond()).toBe('guard.conflict');
    await using session = new TerminalSession(line, agent.environment);
    await session.waitFor('type 3 to give it up: ');
    session.type('3\r');
    expect(await session.ended()).toBe(0);
    expect(session.shown).toContain('version 3 is given up');
    expect(await signSecond()).toBe('signed');
  });

  it('does not ask without a terminal, and changes nothing', async () => {
    await signNext();
    const line = ['setsid', '-w', process.execPath, TOUCHSTONE, 'guard', 'abandon', KEY];
    const refused = await runProgram(line[0] ?? '', line.slice(1), { environment: agent.environment });
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('add --version 4');
    expect(await signSecond()).toBe('guard.conflict');
  });

  describe('with a server to ask', () => {
    const said: string[] = [];

    function run(check: StoredCheck): ReturnType<ReturnType<typeof guardAbandon>> {
      const context: CliContext = {
        env: agent.environment,
        uid: process.getuid?.() ?? 0,
        home: agent.folder,
        flags: {
          json: false,
          quiet: false,
          verbose: false,
          debug: false,
          colour: false,
          socket: undefined,
          timeoutMs: undefined,
        },
        program: TOUCHSTONE,
        stdoutIsTerminal: false,
        print: () => true,
        note: () => undefined,
        warn: (text) => said.push(text),
        onInterrupt: () => () => undefined,
      };
      const options = new OptionValues({ version: String(version) });
      return guardAbandon(check)(context, { args: [KEY], options });
    }

    it('refuses what the server has', async () => {
      const asked: unknown[] = [];
      const error = await rejectionOf(
        run((_context, about) => {
          asked.push(about);
          return Promise.resolve('stored');
        }),
      );
      expect(asked).toEqual([{ repository: REPOSITORY, role: 'targets', version }]);
      expect(error.code).toBe('guard.version');
      expect(await signSecond()).toBe('guard.conflict');
    });

    it('says that the server does not have it', async () => {
      const { json } = await run(() => Promise.resolve('absent'));
      expect(json).toMatchObject({ server: 'absent' });
      expect(said).toContain('the server does not have this version');
      expect(await signSecond()).toBe('signed');
    });
  });

  describe('with a repository that is gone', () => {
    let answer: { readonly status: number; readonly body: string };
    const server = createServer((_request, reply) => {
      reply.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
    });
    const gone = {
      status: 404,
      body: '{"errors":[{"code":"METADATA_NOT_FOUND","message":"no","detail":null}]}',
    };

    beforeAll(async () => {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    });
    afterAll(async () => {
      server.close();
      await once(server, 'close');
    });

    function forget(...more: readonly string[]): ReturnType<DemoAgent['touchstone']> {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      return agent.touchstone(['guard', 'forget', REPOSITORY, '--server', url, ...more]);
    }

    async function first(): Promise<string> {
      return outcomeOf(client, {
        key: KEY,
        kind: 'notary.targets',
        payload: targetsBytes(1, { again: 'x' }),
      });
    }

    it.each([
      ['has it', { status: 200, body: '{}' }],
      ['is none', { status: 404, body: '<html>not found</html>' }],
      ['is out of order', { status: 500, body: '' }],
    ])('forgets nothing when the server %s', async (_what, said) => {
      answer = said;
      expect((await forget('--confirm', REPOSITORY)).status).not.toBe(0);
      expect(await first()).toBe('guard.version');
    });

    it('forgets nothing under another name', async () => {
      answer = gone;
      const refused = await forget('--confirm', 'localhost:1/acme/other');
      expect([refused.status, refused.stderr.includes('nothing was changed')]).toEqual([2, true]);
      expect(await first()).toBe('guard.version');
    });

    it('forgets what the server does not know, for whoever names it', async () => {
      answer = gone;
      const result = await forget('--confirm', REPOSITORY, '--json');
      expect(JSON.parse(result.stdout)).toEqual({ repository: REPOSITORY, roles: ['targets'] });
      expect(await first()).toBe('signed');
    });
  });
});
