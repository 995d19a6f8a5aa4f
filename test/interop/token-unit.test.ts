/** One token as the keeper sees it, over a driver that does what it is told. Runs the built token host. */
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HostLink } from '../../src/keeper/host-link.js';
import { TokenUnit } from '../../src/keeper/token-unit.js';
import { FaultyModule } from '../support/faulty-module.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { rejectionOf } from '../support/rejection.js';

const HOST = path.join(PROJECT_ROOT, 'dist/bin/tokenhost.js');
/** Longer than a look at the token may take. */
const LONG_CALL_MS = 7_500;

describe('a token', () => {
  let module: FaultyModule;
  let unit: TokenUnit;
  beforeEach(() => {
    module = new FaultyModule();
    const config = {
      kind: 'pkcs11',
      name: 'faulty',
      module: module.path,
      uri: 'pkcs11:token=faulty',
      onRemoval: 'keep',
      embedded: false,
      env: module.environment,
      pin: { source: 'person' },
    } as const;
    unit = new TokenUnit(config, HOST, {
      onStatus: () => undefined,
      onLost: () => undefined,
    });
  });
  afterEach(() => {
    unit.end();
    module[Symbol.dispose]();
  });

  it('is not looked at while a call is in work, which has a deadline of its own', async () => {
    module.behave({ C_Login: 'hang' });
    await unit.open();
    const error = await rejectionOf(unit.login(Buffer.from('123456'), LONG_CALL_MS));
    expect(error.code).toBe('token.timeout');
  });

  it('has secrets overwritten that its driver has ended too early for', async () => {
    const secret = Buffer.from('123456');
    let exited = (): void => undefined;
    const exit = new Promise<void>((resolve) => (exited = resolve));
    const link = new HostLink({
      token: 'faulty',
      entry: HOST,
      environment: {},
      onExit: () => {
        exited();
      },
    });
    link.kill();
    await exit;
    expect((await rejectionOf(link.call('login', {}, LONG_CALL_MS, secret))).code).toBe('token.host-crashed');
    expect(secret).toEqual(Buffer.alloc(6));
  });
});
