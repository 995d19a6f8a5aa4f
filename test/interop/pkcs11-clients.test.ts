/** Unmodified PKCS#11 consumers sign through the door with p11-kit's client module, and independent programs verify what they made. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram, type CommandResult } from '../support/demo-agent.js';
import {
  CLIENT_MODULE,
  DOOR_KEY,
  DOOR_KEY_URI,
  opensslConfiguration,
  startPkcs11Agent,
  type Pkcs11Agent,
} from '../support/pkcs11-agent.js';
import { TempFolder } from '../support/temp-folder.js';

const PUBLIC_KEY_URI = DOOR_KEY_URI.replace('type=private', 'type=public');
const TEXT = 'what is signed\n';

let door: Pkcs11Agent;
let folder: TempFolder;
let keyId = '';

beforeAll(async () => {
  folder = new TempFolder();
  door = await startPkcs11Agent();
  const shown = JSON.parse(await door.agent.must(['key', 'show', DOOR_KEY, '--json'])) as {
    readonly key: { readonly keyId: string; readonly publicKey: string };
  };
  keyId = shown.key.keyId;
  writeFileSync(folder.join('text'), TEXT);
  const key = createPublicKey({
    key: Buffer.from(shown.key.publicKey, 'base64'),
    format: 'der',
    type: 'spki',
  });
  writeFileSync(folder.join('public.pem'), key.export({ type: 'spki', format: 'pem' }));
  writeFileSync(folder.join('openssl.cnf'), opensslConfiguration());
});

afterAll(async () => {
  await door.agent[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Runs a program that has to succeed, in the folder of the test. */
async function must(program: string, argv: readonly string[]): Promise<CommandResult> {
  const result = await run(program, argv);
  if (result.status !== 0)
    throw new Error(`${program}: exit ${result.status}\n${result.stderr}${result.stdout}`);
  return result;
}

function run(program: string, argv: readonly string[]): Promise<CommandResult> {
  const environment = { ...door.environment, OPENSSL_CONF: folder.join('openssl.cnf'), HOME: folder.path };
  return runProgram(program, argv, { environment, cwd: folder.path });
}

const ENGINE = ['-engine', 'pkcs11', '-keyform', 'engine'] as const;

/** Self-signed by the key itself and put where the door looks for it. */
async function publishCertificate(): Promise<void> {
  await must('openssl', [
    'req',
    '-new',
    '-x509',
    '-days',
    '30',
    ...ENGINE,
    '-key',
    DOOR_KEY_URI,
    '-out',
    'app.pem',
  ]);
  const certificates = join(door.agent.stateDir, 'certificates');
  mkdirSync(certificates, { recursive: true, mode: 0o700 });
  writeFileSync(join(certificates, `${keyId}.pem`), readFileSync(folder.join('app.pem')));
}

describe('OpenSC', () => {
  it('lists token and objects, and signs a digest', async () => {
    const listed = await must('pkcs11-tool', ['--module', CLIENT_MODULE, '-L', '-O']);
    expect(listed.stdout).toContain('token label        : touchstone');
    expect(listed.stdout).not.toContain('login required');
    expect(listed.stdout).toContain(`label:      ${DOOR_KEY}`);
    expect(listed.stdout).toContain(`ID:         ${keyId}`);
    expect(listed.stdout).toContain('sensitive, always sensitive, never extractable');
    writeFileSync(folder.join('digest'), createHash('sha256').update(TEXT).digest());
    await must('pkcs11-tool', [
      ...['--module', CLIENT_MODULE, '--sign', '--mechanism', 'ECDSA', '--id', keyId],
      ...['--input-file', 'digest', '--output-file', 'raw.sig'],
    ]);
    const key = createPublicKey(readFileSync(folder.join('public.pem')));
    const signature = readFileSync(folder.join('raw.sig'));
    expect(verify('sha256', Buffer.from(TEXT), { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
  });

  it('gets random bytes, each time others', async () => {
    const options = ['--module', CLIENT_MODULE, '--generate-random', '32', '--output-file'];
    await must('pkcs11-tool', [...options, 'one']);
    await must('pkcs11-tool', [...options, 'two']);
    expect(readFileSync(folder.join('one'))).toHaveLength(32);
    expect(readFileSync(folder.join('one'))).not.toEqual(readFileSync(folder.join('two')));
  });

  it('does not take a PIN: the one of the token is typed into "touchstone unlock" alone', async () => {
    const session = ['--module', CLIENT_MODULE, '--list-objects', '--login', '--pin', '123456'];
    const refused = await run('pkcs11-tool', session);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain('CKR_PIN_INCORRECT');
  });

  it('can neither make nor delete anything', async () => {
    const made = await run('pkcs11-tool', [
      '--module',
      CLIENT_MODULE,
      '--keypairgen',
      '--key-type',
      'EC:prime256v1',
    ]);
    expect(made.status).not.toBe(0);
    const deleted = await run('pkcs11-tool', [
      '--module',
      CLIENT_MODULE,
      '-b',
      '--type',
      'privkey',
      '--id',
      keyId,
    ]);
    expect(deleted.status).not.toBe(0);
    const listed = await must('pkcs11-tool', ['--module', CLIENT_MODULE, '-O']);
    expect(listed.stdout.match(/Private Key Object/g)).toHaveLength(1);
  });
});

describe('OpenSSL with its pkcs11 engine', () => {
  it.each(['sha256', 'sha384', 'sha512'])('signs with dgst -%s', async (hash) => {
    await must('openssl', ['dgst', `-${hash}`, ...ENGINE, '-sign', DOOR_KEY_URI, '-out', 'text.sig', 'text']);
    const verified = await must('openssl', [
      ...['dgst', `-${hash}`, '-verify', 'public.pem', '-signature', 'text.sig', 'text'],
    ]);
    expect(verified.stdout).toContain('Verified OK');
  });

  it('refuses SHA-1', async () => {
    const result = await run('openssl', [
      'dgst',
      '-sha1',
      ...ENGINE,
      '-sign',
      DOOR_KEY_URI,
      '-out',
      'sha1.sig',
      'text',
    ]);
    expect(result.status).not.toBe(0);
  });

  it('makes certificate requests', async () => {
    await must('openssl', ['req', '-new', ...ENGINE, '-key', DOOR_KEY_URI, '-out', 'app.csr']);
    const verified = await must('openssl', ['req', '-in', 'app.csr', '-noout', '-verify', '-subject']);
    expect(verified.stdout).toContain('app.example');
  });

  it('makes CMS signatures with a certificate of the key', async () => {
    await publishCertificate();
    await must('openssl', [
      ...['cms', '-sign', '-engine', 'pkcs11', '-keyform', 'engine', '-inkey', DOOR_KEY_URI],
      ...['-signer', 'app.pem', '-in', 'text', '-binary', '-nodetach', '-outform', 'DER', '-out', 'text.cms'],
    ]);
    const verified = await must('openssl', [
      ...[
        'cms',
        '-verify',
        '-in',
        'text.cms',
        '-inform',
        'DER',
        '-CAfile',
        'app.pem',
        '-purpose',
        'any',
        '-binary',
      ],
    ]);
    expect(verified.stdout).toBe(TEXT);
  });
});

describe('GnuTLS', () => {
  it('lists the key and tests it with p11tool', async () => {
    const listed = await must('p11tool', [
      '--provider',
      CLIENT_MODULE,
      '--list-privkeys',
      'pkcs11:token=touchstone',
    ]);
    expect(listed.stdout).toContain('EC/ECDSA-SECP256R1');
    const tested = await must('p11tool', ['--provider', CLIENT_MODULE, '--test-sign', DOOR_KEY_URI]);
    expect(tested.stderr + tested.stdout).toMatch(/Verifying against public key in the token\.\.\. ok/);
  });

  it('exports the certificate that belongs to the key', async () => {
    await publishCertificate();
    const uri = DOOR_KEY_URI.replace('type=private', 'type=cert');
    const exported = await must('p11tool', ['--provider', CLIENT_MODULE, '--export', uri]);
    expect(exported.stdout.trim()).toBe(readFileSync(folder.join('app.pem'), 'latin1').trim());
  });

  it('makes certificate requests and certificates with certtool', async () => {
    writeFileSync(folder.join('template'), 'cn = app.example\nsigning_key\nexpiration_days = 30\n');
    const keys = [
      '--provider',
      CLIENT_MODULE,
      '--load-privkey',
      DOOR_KEY_URI,
      '--load-pubkey',
      PUBLIC_KEY_URI,
    ];
    await must('certtool', ['--generate-request', ...keys, '--template', 'template', '--outfile', 'g.csr']);
    await must('openssl', ['req', '-in', 'g.csr', '-noout', '-verify']);
    await must('certtool', [
      '--generate-self-signed',
      ...keys,
      '--template',
      'template',
      '--outfile',
      'g.pem',
    ]);
    const verified = await must('openssl', ['verify', '-CAfile', 'g.pem', 'g.pem']);
    expect(verified.stdout).toContain('g.pem: OK');
  });
});

describe('NSS', () => {
  it('takes the module with modutil, lists keys and makes requests with certutil', async () => {
    await publishCertificate();
    mkdirSync(folder.join('nss'));
    const database = ['-d', 'sql:nss'];
    await must('certutil', ['-N', ...database, '--empty-password']);
    await must('modutil', ['-dbdir', 'sql:nss', '-add', 'touchstone', '-libfile', CLIENT_MODULE, '-force']);
    const keys = await must('certutil', ['-K', ...database, '-h', 'touchstone']);
    expect(keys.stdout).toContain(DOOR_KEY);
    const certificates = await must('certutil', ['-L', ...database, '-h', 'touchstone']);
    expect(certificates.stdout).toContain(`touchstone:${DOOR_KEY}`);
    await must('certutil', [
      ...['-R', ...database, '-h', 'touchstone', '-k', keyId, '-s', 'CN=app.example', '-Z', 'SHA256'],
      ...['-a', '-o', 'nss.csr'],
    ]);
    await must('openssl', ['req', '-in', 'nss.csr', '-noout', '-verify']);
  });
});

describe('the log', () => {
  it('marks every one of these signatures as blind', async () => {
    const shown = await door.agent.must(['audit', 'show', '--json', '--limit', '1000']);
    const { records } = JSON.parse(shown) as {
      readonly records: readonly {
        readonly type: string;
        readonly kind?: string;
        readonly blind?: boolean;
      }[];
    };
    const signed = records.filter(({ type, kind }) => type === 'sign' && kind === 'digest');
    expect(signed.length).toBeGreaterThan(8);
    expect(signed.every(({ blind }) => blind === true)).toBe(true);
  });
});
