/** `touchstone integrate pkcs11|openssl`: what is written makes the real programs find the key, and goes away again. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram, TOUCHSTONE, type CommandResult } from '../support/demo-agent.js';
import { MOUNT_NAMESPACE } from '../support/mount-namespace.js';
import {
  CLIENT_MODULE,
  DOOR_KEY,
  DOOR_KEY_URI,
  startPkcs11Agent,
  type Pkcs11Agent,
} from '../support/pkcs11-agent.js';

/** p11-kit's module that stands for all configured ones. */
const PROXY = join(CLIENT_MODULE, '../../p11-kit-proxy.so');
/** p11-kit reads no user configuration for root: in this namespace its uid is another, the kernel's for the agent is the same. */
const AS_USER =
  process.getuid?.() === 0 ? ['unshare', '--user', '--map-user=1000', '--map-group=1000'] : ['env'];

let door: Pkcs11Agent;

beforeAll(async () => {
  door = await startPkcs11Agent();
});

afterAll(async () => {
  await door.agent[Symbol.asyncDispose]();
});

describe('integrate openssl', () => {
  it('lets openssl sign with the configuration and variables it names', async () => {
    const { agent } = door;
    const written = JSON.parse(await agent.must(['integrate', 'openssl', '--json'])) as {
      readonly file: string;
      readonly address: string;
    };
    const environment = {
      ...process.env,
      OPENSSL_CONF: written.file,
      P11_KIT_SERVER_ADDRESS: written.address,
    };
    const options = { environment, cwd: agent.folder };
    writeFileSync(join(agent.folder, 'text'), 'text');
    const engine = ['-engine', 'pkcs11', '-keyform', 'engine'];
    const signed = await runProgram(
      'openssl',
      ['dgst', '-sha256', ...engine, '-sign', DOOR_KEY_URI, '-out', 'sig', 'text'],
      options,
    );
    expect(signed.status).toBe(0);
    const pem = await agent.must(['key', 'export', DOOR_KEY, '--format', 'pem']);
    writeFileSync(join(agent.folder, 'public.pem'), pem);
    const verified = await runProgram(
      'openssl',
      ['dgst', '-sha256', '-verify', 'public.pem', '-signature', 'sig', 'text'],
      { cwd: agent.folder },
    );
    expect(verified.stdout).toContain('Verified OK');
  });

  it('writes nothing with --dry-run and removes its file with --undo', async () => {
    const { agent } = door;
    await agent.must(['integrate', 'openssl']);
    const file = join(agent.configFile, '..', 'openssl.cnf');
    expect(existsSync(file)).toBe(true);
    await agent.must(['integrate', 'openssl', '--undo', '--dry-run']);
    expect(existsSync(file)).toBe(true);
    await agent.must(['integrate', 'openssl', '--undo']);
    expect(existsSync(file)).toBe(false);
    expect(await agent.must(['integrate', 'openssl', '--dry-run'])).toContain('engine_id = pkcs11');
    expect(existsSync(file)).toBe(false);
  });

  it('leaves a file alone that somebody else wrote', async () => {
    const { agent } = door;
    const file = join(agent.configFile, '..', 'openssl.cnf');
    writeFileSync(file, '# mine\n');
    for (const option of [[], ['--undo']]) {
      const refused = await agent.touchstone(['integrate', 'openssl', ...option]);
      expect(refused.status).toBe(2);
      expect(refused.stderr).toContain('was not written by this program');
    }
    expect(readFileSync(file, 'utf8')).toBe('# mine\n');
  });
});

describe('integrate pkcs11', () => {
  it('prints one line for p11-kit, with the socket of the door', async () => {
    const shown = await door.agent.must(['integrate', 'pkcs11', '--system', '--dry-run']);
    expect(shown).toContain('# /etc/pkcs11/modules/touchstone.module');
    expect(shown).toMatch(/^remote: unix:path=.*\/pkcs11\.sock$/m);
  });

  it('is for one user, but not for root, whose p11-kit reads no user configuration', async () => {
    const shown = await door.agent.touchstone(['integrate', 'pkcs11', '--dry-run']);
    if (process.getuid?.() === 0) expect(shown.stderr).toContain('--system');
    else expect(shown.stdout).toContain('/pkcs11/modules/touchstone.module');
  });

  /** Runs shell lines with the command line of touchstone as "$@", without the variable that makes the file needless. */
  function shell(words: readonly string[], script: string): Promise<CommandResult> {
    const environment = { ...door.agent.environment, XDG_CONFIG_HOME: join(door.agent.folder, 'xdg') };
    const [program, ...argv] = [...words, 'sh', '-ec', script, 'sh', process.execPath, TOUCHSTONE];
    return runProgram(program, argv, { environment, cwd: door.agent.folder });
  }

  const LOOK = `p11tool --list-tokens; pkcs11-tool --module ${PROXY} --token-label touchstone -O`;

  it.each([
    ['a user', AS_USER, '"$@" integrate pkcs11'],
    [
      'everybody',
      MOUNT_NAMESPACE,
      'mkdir -p /etc/pkcs11; mount -t tmpfs tmpfs /etc/pkcs11; "$@" integrate pkcs11 --system',
    ],
  ])('lets every program of %s that uses p11-kit see the token, and sign', async (_, words, integrate) => {
    const digest = createHash('sha256').update('text').digest();
    writeFileSync(join(door.agent.folder, 'digest'), digest);
    const sign = '--sign --mechanism ECDSA --input-file digest --output-file raw.sig';
    const seen = await shell(
      words,
      `${integrate}; ${LOOK}; pkcs11-tool --module ${PROXY} --token-label touchstone ${sign}`,
    );
    expect([seen.status, seen.stderr]).toEqual([0, expect.stringContaining('p11-kit list-modules')]);
    expect(seen.stdout).toContain('manufacturer=Touchstone;serial=1;token=touchstone');
    expect(seen.stdout).toContain(`label:      ${DOOR_KEY}`);
    const key = createPublicKey(await door.agent.must(['key', 'export', DOOR_KEY]));
    const signature = readFileSync(join(door.agent.folder, 'raw.sig'));
    expect(verify('sha256', Buffer.from('text'), { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
  });

  it('is seen by nobody any more after --undo', async () => {
    const script = '"$@" integrate pkcs11; p11tool --list-tokens; "$@" integrate pkcs11 --undo; echo undone';
    const { stdout } = await shell(AS_USER, `${script}; p11tool --list-tokens`);
    const [before = '', after = ''] = stdout.split('undone');
    expect([before.includes('token=touchstone'), after.includes('token=touchstone')]).toEqual([true, false]);
  });

  it('is told to eval by "touchstone env"', async () => {
    const { agent, environment } = door;
    const shown = JSON.parse(await agent.must(['env', '--json'])) as Readonly<Record<string, string>>;
    expect(shown['P11_KIT_SERVER_ADDRESS']).toBe(environment['P11_KIT_SERVER_ADDRESS']);
  });
});
