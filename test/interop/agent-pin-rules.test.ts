/** What protects the PIN counter of a token, counted by the token itself: a module that logs every C_Login. */
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentClient } from '../../src/client/client.js';
import { unlockToken } from '../../src/client/unlock.js';
import type { AgentError } from '../../src/errors/agent-error.js';
import { connectTo } from '../support/agent-client.js';
import { FAULTY_PIN } from '../support/faulty-module.js';
import { FaultyAgent } from '../support/faulty-agent.js';
import { rejectionOf } from '../support/rejection.js';

/** The PIN is right when the module takes it; its keys are never those of the keyring. */
const ACCEPTED = 'keyring.other-token';
const SERIAL = 'F0001';

describe('a PIN counter', () => {
  let agent: FaultyAgent;
  let client: AgentClient;
  beforeEach(async () => {
    agent = await new FaultyAgent().prepare();
    await agent.start();
    client = await connectTo(agent);
  });
  afterEach(async () => {
    client.close();
    await agent[Symbol.asyncDispose]();
  });

  function refusal(pin: string, useLastTry?: string): Promise<AgentError> {
    const lease = useLastTry === undefined ? {} : { useLastTry };
    const readPin = (): Promise<Buffer> => Promise.resolve(Buffer.from(pin));
    return rejectionOf(unlockToken(client, { readPin, lease, timeoutMs: 10_000 }));
  }

  it('sees a wrong PIN once, however often it is entered', async () => {
    const first = await refusal('111111');
    expect(first).toMatchObject({
      code: 'token.pin-incorrect',
      details: { serial: SERIAL, triesLeft: 'low' },
    });
    for (let round = 0; round < 3; round += 1)
      expect((await refusal('111111')).code).toBe('token.pin-known-wrong');
    expect(agent.logins).toBe(1);
    expect((await refusal(FAULTY_PIN)).code).toBe(ACCEPTED);
    expect(agent.logins).toBe(2);
  });

  it('sees each of many equal entries at once only once', async () => {
    const codes = await Promise.all(Array.from({ length: 8 }, async () => (await refusal('111111')).code));
    expect(codes.filter((code) => code === 'token.pin-incorrect')).toHaveLength(1);
    expect(codes.filter((code) => code === 'token.pin-known-wrong')).toHaveLength(7);
    expect(agent.logins).toBe(1);
  });

  it('is not touched at the last try, not even by the right PIN, until somebody names the serial', async () => {
    expect((await refusal('111111')).code).toBe('token.pin-incorrect');
    expect((await refusal('222222')).details).toMatchObject({ triesLeft: 'last' });
    for (const serial of [undefined, '', 'F0002', 'yes']) {
      const refused = await refusal(FAULTY_PIN, serial);
      expect(refused.code).toBe(serial === '' ? 'usage.invalid' : 'token.pin-last-try');
    }
    expect(agent.logins).toBe(2);
    expect((await refusal('111111', SERIAL)).code).toBe('token.pin-known-wrong');
    expect(agent.logins).toBe(2);
    expect((await refusal(FAULTY_PIN, SERIAL)).code).toBe(ACCEPTED);
    expect(agent.logins).toBe(3);
  });

  it('is looked at right before a PIN is sent, because other programs spend tries too', async () => {
    const readPin = (): Promise<Buffer> => {
      writeFileSync(`${String(agent.module.environment['FAULTY_PLAN'])}.tries`, '1\n');
      return Promise.resolve(Buffer.from(FAULTY_PIN));
    };
    const refused = await rejectionOf(unlockToken(client, { readPin, lease: {}, timeoutMs: 10_000 }));
    expect(refused.code).toBe('token.pin-last-try');
    expect(agent.logins).toBe(0);
  });

  it('is left alone once it is at zero', async () => {
    for (const [pin, code] of [
      ['111111', 'token.pin-incorrect'],
      ['222222', 'token.pin-incorrect'],
      ['333333', 'token.pin-locked'],
    ] as const) {
      expect((await refusal(pin, SERIAL)).code).toBe(code);
    }
    expect(agent.logins).toBe(3);
    expect((await refusal(FAULTY_PIN, SERIAL)).code).toBe('token.pin-locked');
    expect(agent.logins).toBe(3);
  });

  it('is shown by the command line, which asks for no PIN that it would not send', async () => {
    const wrong = agent.writePin('wrong', '111111');
    const other = agent.writePin('other', '222222');
    const first = await agent.touchstone(['unlock', '--verbose', '--pin-file', wrong]);
    expect(first.status).toBe(4);
    expect(first.stderr).toContain('triesLeft: low');
    expect(first.stderr).toContain('a try was used up');
    const second = await agent.touchstone(['unlock', '--pin-file', other]);
    expect(second.stderr).toContain(`only one try is left, and takes --use-last-try ${SERIAL}`);
    // The file does not exist: nobody looked for it.
    const last = await agent.touchstone(['unlock', '--pin-file', `${wrong}-missing`]);
    expect(last.stderr).toContain(`--use-last-try ${SERIAL}`);
    expect(last.stderr).toContain('one try left');
    expect((await agent.touchstone(['token', 'list'])).stdout).toContain('last');
    expect(agent.logins).toBe(2);
  });
});
