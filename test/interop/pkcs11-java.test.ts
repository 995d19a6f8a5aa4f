/** Java's own PKCS#11 provider on the door: keytool lists and asks for certificates, jarsigner signs, and a Java that knows no agent verifies. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram, type CommandResult } from '../support/demo-agent.js';
import {
  CLIENT_MODULE,
  DOOR_KEY,
  opensslConfiguration,
  startPkcs11Agent,
  type Pkcs11Agent,
} from '../support/pkcs11-agent.js';
import { TempFolder } from '../support/temp-folder.js';

/** A Java program takes seconds to start on a busy machine. */
const JAVA_MS = 90_000;
const RSA_KEY = `${DOOR_KEY}~rsa-3072`;
const KEYS = [DOOR_KEY, RSA_KEY] as const;
const STORE = ['-keystore', 'NONE', '-storetype', 'PKCS11', '-storepass', ''] as const;
const PROVIDER = ['-addprovider', 'SunPKCS11', '-providerArg', 'java.conf'] as const;

let door: Pkcs11Agent;
let folder: TempFolder;

beforeAll(async () => {
  folder = new TempFolder();
  door = await startPkcs11Agent();
  await door.agent.must(['key', 'create', RSA_KEY, '--token', 'release']);
  writeFileSync(folder.join('java.conf'), `name=touchstone\nlibrary=${CLIENT_MODULE}\n`);
  writeFileSync(folder.join('openssl.cnf'), opensslConfiguration());
  writeFileSync(folder.join('Main.txt'), 'what is signed\n');
  for (const key of KEYS) await publishCertificate(key);
});

afterAll(async () => {
  await door.agent[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

function run(program: string, argv: readonly string[]): Promise<CommandResult> {
  const environment = { ...door.environment, OPENSSL_CONF: folder.join('openssl.cnf'), LC_ALL: 'C' };
  return runProgram(program, argv, { environment, cwd: folder.path, timeoutMs: JAVA_MS });
}

async function must(program: string, argv: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await run(program, argv);
  if (status !== 0) throw new Error(`${program}: exit ${status}\n${stderr}${stdout}`);
  return stdout + stderr;
}

async function keyIdOf(key: string): Promise<string> {
  const shown = JSON.parse(await door.agent.must(['key', 'show', key, '--json'])) as {
    readonly key: { readonly keyId: string };
  };
  return shown.key.keyId;
}

/** Java sees only keys with a certificate: self-signed, in the folder where the door looks. */
async function publishCertificate(key: string): Promise<void> {
  const keyId = await keyIdOf(key);
  const uri = `pkcs11:token=touchstone;object=${encodeURIComponent(key)};type=private`;
  const argv = ['-new', '-x509', '-days', '30', '-engine', 'pkcs11', '-keyform', 'engine', '-key', uri];
  await must('openssl', ['req', ...argv, '-out', 'certificate.pem']);
  const certificates = join(door.agent.stateDir, 'certificates');
  mkdirSync(certificates, { recursive: true, mode: 0o700 });
  writeFileSync(join(certificates, `${keyId}.pem`), readFileSync(folder.join('certificate.pem')));
}

describe('keytool', () => {
  it('lists the keys by their names', async () => {
    const listed = await must('keytool', ['-list', ...STORE, ...PROVIDER]);
    expect(listed).toContain('Keystore provider: SunPKCS11-touchstone');
    for (const key of KEYS) expect(listed).toContain(`${key}, PrivateKeyEntry`);
  });

  it.each(KEYS)('makes a certificate request with %s that OpenSSL accepts', async (key) => {
    await must('keytool', ['-certreq', ...STORE, ...PROVIDER, '-alias', key, '-file', 'java.csr']);
    const verified = await must('openssl', ['req', '-in', 'java.csr', '-noout', '-verify', '-subject']);
    expect(verified).toContain('app.example');
  });

  it('can delete nothing', async () => {
    const refused = await run('keytool', ['-delete', ...STORE, ...PROVIDER, '-alias', DOOR_KEY]);
    expect(refused.status).not.toBe(0);
    expect(await must('keytool', ['-list', ...STORE, ...PROVIDER])).toContain(DOOR_KEY);
  });
});

describe('jarsigner', () => {
  it.each(KEYS)('signs with %s what a Java without a token verifies, and no changed byte', async (key) => {
    await must('jar', ['--create', '--file', 'app.jar', 'Main.txt']);
    await must('jarsigner', [...STORE, ...PROVIDER, 'app.jar', key]);
    // A key store that trusts the certificate makes "verified" mean this key.
    const keyId = await keyIdOf(key);
    const certificate = join(door.agent.stateDir, 'certificates', `${keyId}.pem`);
    const trust = ['-keystore', `${keyId}.p12`, '-storetype', 'PKCS12', '-storepass', 'public'];
    await must('keytool', ['-importcert', '-noprompt', ...trust, '-alias', 'app', '-file', certificate]);
    const verified = await must('jarsigner', ['-verify', '-verbose', '-certs', ...trust, 'app.jar']);
    expect(verified).toContain('jar verified.');
    expect(verified).toMatch(/^smk\s.*Main\.txt$/m);
    writeFileSync(folder.join('Main.txt'), 'what is signeD\n');
    await must('jar', ['--update', '--file', 'app.jar', 'Main.txt']);
    const broken = await run('jarsigner', ['-verify', ...trust, 'app.jar']);
    expect(broken.stdout + broken.stderr).toContain('digest error for Main.txt');
    writeFileSync(folder.join('Main.txt'), 'what is signed\n');
  });

  it('is refused while the agent is locked, and each signature is in the log', async () => {
    await door.agent.must(['lock']);
    await must('jar', ['--create', '--file', 'locked.jar', 'Main.txt']);
    const refused = await run('jarsigner', [...STORE, ...PROVIDER, 'locked.jar', DOOR_KEY]);
    expect(refused.status).not.toBe(0);
    await door.agent.unlock(['--blind']);
    await must('jarsigner', [...STORE, ...PROVIDER, 'locked.jar', DOOR_KEY]);
    const shown = await door.agent.must(['audit', 'show', '--json', '--limit', '1000']);
    const { records } = JSON.parse(shown) as {
      readonly records: readonly Readonly<Record<string, unknown>>[];
    };
    expect(records.some(({ type, code }) => type === 'refuse' && code === 'key.locked')).toBe(true);
    expect(records.at(-1)).toMatchObject({ type: 'sign', key: DOOR_KEY, kind: 'digest', blind: true });
  });
});
