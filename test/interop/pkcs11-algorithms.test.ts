/** RSA and P-384 keys that live on a token, used through the PKCS#11 door by unmodified programs and checked by OpenSSL. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

const TEXT = 'what is signed\n';
const ALGORITHMS = ['rsa-3072', 'ecdsa-p384'] as const;
const HASHES = ['sha256', 'sha384', 'sha512'] as const;
const ENGINE = ['-engine', 'pkcs11', '-keyform', 'engine'] as const;
const PSS = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest'] as const;
/** DER of DigestInfo in front of the digest. */
const DIGEST_INFO = {
  sha1: '3021300906052b0e03021a05000414',
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
} as const;

let door: Pkcs11Agent;
let folder: TempFolder;
const keyIds = new Map<string, string>();

beforeAll(async () => {
  folder = new TempFolder();
  door = await startPkcs11Agent();
  for (const algorithm of ALGORITHMS) {
    const name = `${DOOR_KEY}~${algorithm}`;
    await door.agent.must(['key', 'create', name, '--token', 'release']);
    const shown = JSON.parse(await door.agent.must(['key', 'show', name, '--json'])) as {
      readonly key: { readonly keyId: string };
    };
    keyIds.set(algorithm, shown.key.keyId);
    writeFileSync(folder.join(`${algorithm}.pem`), await door.agent.must(['key', 'export', name]));
  }
  writeFileSync(folder.join('text'), TEXT);
  writeFileSync(folder.join('openssl.cnf'), opensslConfiguration());
});

afterAll(async () => {
  await door.agent[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

function run(program: string, argv: readonly string[]): Promise<CommandResult> {
  const environment = { ...door.environment, OPENSSL_CONF: folder.join('openssl.cnf'), HOME: folder.path };
  return runProgram(program, argv, { environment, cwd: folder.path });
}

async function must(program: string, argv: readonly string[]): Promise<CommandResult> {
  const result = await run(program, argv);
  if (result.status !== 0)
    throw new Error(`${program}: exit ${result.status}\n${result.stderr}${result.stdout}`);
  return result;
}

function uriOf(algorithm: string): string {
  return DOOR_KEY_URI.replace(';type', `~${algorithm};type`);
}

/** pkcs11-tool signs `input` with the options of a mechanism; the signature is in file `sig`. */
function signWithTool(
  algorithm: string,
  mechanism: readonly string[],
  input: Uint8Array,
): Promise<CommandResult> {
  writeFileSync(folder.join('input'), input);
  return run('pkcs11-tool', [
    ...['--module', CLIENT_MODULE, '--sign', '--id', keyIds.get(algorithm) ?? ''],
    ...['--input-file', 'input', '--output-file', 'sig', '--mechanism', ...mechanism],
  ]);
}

async function expectGood(algorithm: string, hash: string, options: readonly string[] = []): Promise<void> {
  const argv = ['dgst', `-${hash}`, ...options, '-verify', `${algorithm}.pem`, '-signature', 'sig', 'text'];
  expect((await must('openssl', argv)).stdout).toContain('Verified OK');
}

function digestOf(hash: string): Buffer {
  return createHash(hash).update(TEXT).digest();
}

/** Self-signed by the key itself and put where the door looks for it. */
async function publishCertificate(algorithm: string): Promise<void> {
  const argv = [
    'req',
    '-new',
    '-x509',
    '-days',
    '30',
    ...ENGINE,
    '-key',
    uriOf(algorithm),
    '-out',
    'app.pem',
  ];
  await must('openssl', argv);
  const certificates = join(door.agent.stateDir, 'certificates');
  mkdirSync(certificates, { recursive: true, mode: 0o700 });
  const file = join(certificates, `${keyIds.get(algorithm) ?? ''}.pem`);
  writeFileSync(file, readFileSync(folder.join('app.pem')));
}

describe('OpenSC', () => {
  it('lists the keys with type and size', async () => {
    const { stdout } = await must('pkcs11-tool', ['--module', CLIENT_MODULE, '-O', '-M']);
    expect(stdout).toContain('Public Key Object; RSA 3072 bits');
    expect(stdout).toContain('Public Key Object; EC  EC_POINT 384 bits');
    expect(stdout).toMatch(/RSA-PKCS-PSS, keySize=\{3072,3072\}, sign/);
  });

  it.each(HASHES)('signs DigestInfo of %s with RSA-PKCS', async (hash) => {
    const info = Buffer.concat([Buffer.from(DIGEST_INFO[hash], 'hex'), digestOf(hash)]);
    expect(await signWithTool('rsa-3072', ['RSA-PKCS'], info)).toMatchObject({ status: 0 });
    await expectGood('rsa-3072', hash);
  });

  it.each(HASHES)('signs a text with RSA-PKCS and %s', async (hash) => {
    const mechanism = `${hash.toUpperCase()}-RSA-PKCS`;
    expect(await signWithTool('rsa-3072', [mechanism], Buffer.from(TEXT))).toMatchObject({ status: 0 });
    await expectGood('rsa-3072', hash);
  });

  it.each(HASHES)('signs digests of %s with RSA-PKCS-PSS', async (hash) => {
    const parameters = ['--hash-algorithm', hash.toUpperCase(), '--mgf', `MGF1-${hash.toUpperCase()}`];
    const mechanism = ['RSA-PKCS-PSS', ...parameters, '--salt-len', '-1'];
    expect(await signWithTool('rsa-3072', mechanism, digestOf(hash))).toMatchObject({ status: 0 });
    await expectGood('rsa-3072', hash, PSS);
  });

  const pss = ['RSA-PKCS-PSS', '--hash-algorithm', 'SHA256', '--mgf'];
  const sha1 = Buffer.concat([Buffer.from(DIGEST_INFO.sha1, 'hex'), createHash('sha1').digest()]);
  it.each([
    ['RSA-PKCS over a bare digest', ['RSA-PKCS'], digestOf('sha256'), 'CKR_DATA_INVALID'],
    ['RSA-PKCS over DigestInfo of SHA-1', ['RSA-PKCS'], sha1, 'CKR_DATA_INVALID'],
    ['RSA-PKCS over too many bytes', ['RSA-PKCS'], Buffer.alloc(200), 'CKR_DATA_LEN_RANGE'],
    [
      'PSS with another salt',
      [...pss, 'MGF1-SHA256', '--salt-len', '20'],
      digestOf('sha256'),
      'PARAM_INVALID',
    ],
    ['PSS with a mask of another hash', [...pss, 'MGF1-SHA512'], digestOf('sha256'), 'PARAM_INVALID'],
    ['RSA without padding', ['RSA-X-509'], Buffer.alloc(384), 'CKR_MECHANISM_INVALID'],
    ['ECDSA with an RSA key', ['ECDSA'], digestOf('sha256'), 'CKR_KEY_TYPE_INCONSISTENT'],
  ] as const)('is refused %s', async (_, mechanism, input, reason) => {
    const result = await signWithTool('rsa-3072', mechanism, input);
    expect(result.status).not.toBe(0);
    expect(result.stderr + result.stdout).toContain(reason);
  });
});

describe.each(ALGORITHMS)('OpenSSL with its pkcs11 engine, %s', (algorithm) => {
  it.each(HASHES)('signs with dgst -%s', async (hash) => {
    await must('openssl', ['dgst', `-${hash}`, ...ENGINE, '-sign', uriOf(algorithm), '-out', 'sig', 'text']);
    await expectGood(algorithm, hash);
  });

  it('makes certificate requests and certificates', async () => {
    await must('openssl', ['req', '-new', ...ENGINE, '-key', uriOf(algorithm), '-out', 'csr']);
    await must('openssl', ['req', '-in', 'csr', '-noout', '-verify']);
    await must('openssl', ['req', '-new', '-x509', ...ENGINE, '-key', uriOf(algorithm), '-out', 'cert.pem']);
    const verified = await must('openssl', ['verify', '-CAfile', 'cert.pem', 'cert.pem']);
    expect(verified.stdout).toContain('cert.pem: OK');
  });

  it('makes CMS signatures', async () => {
    await must('openssl', ['req', '-new', '-x509', ...ENGINE, '-key', uriOf(algorithm), '-out', 'cert.pem']);
    await must('openssl', [
      ...['cms', '-sign', ...ENGINE, '-inkey', uriOf(algorithm), '-signer', 'cert.pem', '-in', 'text'],
      ...['-binary', '-nodetach', '-outform', 'DER', '-out', 'cms'],
    ]);
    const trust = ['-CAfile', 'cert.pem', '-purpose', 'any'];
    const verified = await must('openssl', [
      'cms',
      '-verify',
      '-in',
      'cms',
      '-inform',
      'DER',
      '-binary',
      ...trust,
    ]);
    expect(verified.stdout).toBe(TEXT);
  });
});

describe('OpenSSL with its pkcs11 engine, PSS', () => {
  it.each(HASHES)('signs with %s', async (hash) => {
    const argv = ['dgst', `-${hash}`, ...ENGINE, ...PSS, '-sign', uriOf('rsa-3072'), '-out', 'sig', 'text'];
    await must('openssl', argv);
    await expectGood('rsa-3072', hash, PSS);
  });
});

describe.each(ALGORITHMS)('other programs, %s', (algorithm) => {
  it('GnuTLS: p11tool tests the key, certtool makes requests', async () => {
    const uri = uriOf(algorithm);
    const tested = await must('p11tool', ['--provider', CLIENT_MODULE, '--test-sign', uri]);
    expect(tested.stderr + tested.stdout).toMatch(/Verifying against public key in the token\.\.\. ok/);
    writeFileSync(folder.join('template'), 'cn = app.example\nsigning_key\n');
    await must('certtool', [
      ...['--provider', CLIENT_MODULE, '--generate-request', '--load-privkey', uri, '--load-pubkey'],
      ...[uri.replace('type=private', 'type=public'), '--template', 'template', '--outfile', 'csr'],
    ]);
    await must('openssl', ['req', '-in', 'csr', '-noout', '-verify']);
  });

  it('NSS lists the key and makes requests with certutil', async () => {
    await publishCertificate(algorithm);
    const database = ['-d', `sql:nss-${algorithm}`];
    mkdirSync(folder.join(`nss-${algorithm}`));
    await must('certutil', ['-N', ...database, '--empty-password']);
    const add = ['-add', 'touchstone', '-libfile', CLIENT_MODULE, '-force'];
    await must('modutil', ['-dbdir', `sql:nss-${algorithm}`, ...add]);
    const keys = await must('certutil', ['-K', ...database, '-h', 'touchstone']);
    expect(keys.stdout).toContain(`${DOOR_KEY}~${algorithm}`);
    await must('certutil', [
      ...['-R', ...database, '-h', 'touchstone', '-k', keyIds.get(algorithm) ?? '', '-s', 'CN=app.example'],
      ...['-Z', 'SHA256', '-a', '-o', 'nss.csr'],
    ]);
    await must('openssl', ['req', '-in', 'nss.csr', '-noout', '-verify']);
  });

  it('OpenSSH issues certificates with it as a CA', async () => {
    const { stdout } = await must('ssh-keygen', ['-D', CLIENT_MODULE]);
    const type = algorithm === 'rsa-3072' ? 'ssh-rsa' : 'ecdsa-sha2-nistp384';
    const line = stdout.split('\n').find((each) => each.startsWith(`${type} `)) ?? '';
    writeFileSync(folder.join('ca.pub'), `${line}\n`);
    for (const name of ['user', 'user.pub', 'user-cert.pub']) rmSync(folder.join(name), { force: true });
    await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', 'user']);
    await must('ssh-keygen', ['-D', CLIENT_MODULE, '-s', 'ca.pub', '-I', 'id', '-n', 'root', 'user.pub']);
    // ssh-keygen verifies the signature of a certificate that it reads.
    const shown = await must('ssh-keygen', ['-L', '-f', 'user-cert.pub']);
    const signature = algorithm === 'rsa-3072' ? 'rsa-sha2-512' : type;
    expect(shown.stdout).toContain(`(using ${signature})`);
  });
});

describe.each(ALGORITHMS)('leases, %s', (algorithm) => {
  const mechanism = algorithm === 'rsa-3072' ? 'SHA256-RSA-PKCS' : 'ECDSA';
  const sign = (): Promise<CommandResult> => signWithTool(algorithm, [mechanism], digestOf('sha256'));

  it('nothing is signed while the token is locked, or under a lease that is not blind', async () => {
    await door.agent.must(['lock']);
    expect((await sign()).stderr).toContain('CKR_USER_NOT_LOGGED_IN');
    await door.agent.unlock();
    expect((await sign()).stderr).toContain('CKR_KEY_FUNCTION_NOT_PERMITTED');
    await door.agent.unlock(['--blind']);
    expect((await sign()).status).toBe(0);
  });
});

describe('the log', () => {
  it('marks every signature as blind', async () => {
    const shown = await door.agent.must(['audit', 'show', '--json', '--limit', '1000']);
    const { records } = JSON.parse(shown) as {
      readonly records: readonly {
        readonly type: string;
        readonly kind?: string;
        readonly blind?: boolean;
        readonly key?: string;
        readonly summary?: readonly string[];
      }[];
    };
    const signed = records.filter(({ type, kind }) => type === 'sign' && kind === 'digest');
    // The curve is longer than this digest; the log has it as it came.
    const ofCurve = signed.filter(({ key }) => key === `${DOOR_KEY}~ecdsa-p384`);
    const shown256 = `sha256:${digestOf('sha256').toString('hex')}`;
    expect(ofCurve.some(({ summary }) => summary?.includes(shown256) === true)).toBe(true);
    expect(signed.length).toBeGreaterThan(20);
    expect(signed.every(({ blind }) => blind === true)).toBe(true);
    expect(await door.agent.must(['audit', 'verify'])).toContain('good');
  });
});
