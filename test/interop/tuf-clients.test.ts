/** What we write as TUF, read by others: tuf-js, its models, Debian's securesystemslib, and OpenSSL with jq. */
import { Metadata, type MetadataKind } from '@tufjs/models';
import { spawnSync } from 'node:child_process';
import { createHash, type BinaryLike } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { Updater } from 'tuf-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tufCanonical } from '../../src/formats/tuf/canonical.js';
import { lintTuf } from '../../src/formats/tuf/linter.js';
import { readTuf, readTufRoot, readTufTargets } from '../../src/formats/tuf/reader.js';
import type { TufRoleKeys, TufRoot, TufTargets } from '../../src/formats/tuf/document.js';
import { countSignatures } from '../../src/formats/tuf/verify.js';
import { envelopeBytes, signedBytes } from '../../src/formats/tuf/writer.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { TempFolder } from '../support/temp-folder.js';
import { TufRepository } from '../support/tuf-repository.js';

const folder = new TempFolder();
const repository = new TufRepository(folder.join('repository'));
const NAMES = [...repository.files.keys()];
const SIGSTORE = path.join(PROJECT_ROOT, 'test/vectors/tuf/sigstore');
let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    try {
      response.end(readFileSync(path.join(repository.folder, decodeURIComponent(request.url ?? ''))));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
  folder[Symbol.dispose]();
});

function client(name: string): Updater {
  const [metadataDir, targetDir] = [folder.join(name, 'metadata'), folder.join(name, 'targets')];
  mkdirSync(metadataDir, { recursive: true });
  mkdirSync(targetDir);
  copyFileSync(repository.metadata('1.root.json'), path.join(metadataDir, 'root.json'));
  return new Updater({
    metadataDir,
    targetDir,
    metadataBaseUrl: `${url}/metadata`,
    targetBaseUrl: `${url}/targets`,
    config: { fetchRetries: 0 },
  });
}

describe('tuf-js', () => {
  it('walks three roots and downloads from targets, from a team and from a hash bin', async () => {
    const updater = client('walking');
    await updater.refresh();
    expect(readTufRoot(readFileSync(folder.join('walking', 'metadata', 'root.json'))).signed.version).toBe(3);
    for (const [name, content] of TufRepository.contents) {
      const info = await updater.getTargetInfo(name);
      if (info === undefined) throw new Error(`${name} is not found`);
      const file = await updater.downloadTarget(info);
      expect(readFileSync(file, 'utf8')).toBe(content);
    }
    expect(await updater.getTargetInfo('team/unknown.txt')).toBeUndefined();
  });

  it.each(NAMES)('keeps %s as it is, through its models', (name) => {
    const file = JSON.parse(repository.files.get(name)?.toString('utf8') ?? '') as {
      readonly signed: { readonly _type: MetadataKind };
    };
    const type = file.signed._type as MetadataKind.Root;
    const read = Metadata.fromJSON(type, file);
    const { signed } = read.toJSON() as { readonly signed: unknown };
    const expected = readTuf(repository.files.get(name) ?? Buffer.alloc(0)).signed;
    expect(tufCanonical(signed, 'test').equals(signedBytes(expected))).toBe(true);
  });
});

interface Judged {
  /** SHA-256 of the canonical bytes. */
  readonly canonical: string;
  /** Recomputed, by the id that the file has. */
  readonly keyids: Readonly<Record<string, string>>;
  readonly signers: readonly string[];
  readonly threshold: number;
}

interface Job {
  readonly file: string;
  readonly by: string;
  readonly role: string;
}

function judge(jobs: readonly Job[]): readonly Judged[] {
  const script = path.join(PROJECT_ROOT, 'test/support/tuf-reader.py');
  const input = JSON.stringify(jobs);
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3', [script], { input, timeout: 60_000 });
  if (status !== 0) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString()) as readonly Judged[];
}

function sha256(bytes: BinaryLike): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What we make of the same job. */
function ourJudgement({ file, by, role }: Job): Judged {
  const envelope = readTuf(readFileSync(file));
  const { signed: delegator } = readTuf(readFileSync(by));
  const { keys, keyed } =
    delegator.type === 'root'
      ? { keys: delegator.keys, keyed: delegator.roles[role as 'root'] }
      : delegationOf(readTufTargets(readFileSync(by)).signed, role);
  const { good, threshold } = countSignatures(envelope, keys, keyed);
  return {
    canonical: sha256(signedBytes(envelope.signed)),
    keyids: Object.fromEntries([...keys].map(([id, key]) => [id, sha256(tufCanonical(key, 'test'))])),
    signers: good.toSorted(),
    threshold,
  };
}

function delegationOf(
  { delegations }: TufTargets,
  role: string,
): Pick<TufRoot, 'keys'> & { keyed: TufRoleKeys } {
  const keyed = delegations?.succinctRoles ?? delegations?.roles?.find(({ name }) => name === role);
  if (delegations === undefined || keyed === undefined) throw new Error(`nobody delegates to ${role}`);
  return { keys: delegations.keys, keyed };
}

describe('securesystemslib', () => {
  const by = (delegator: string, role: string, file: string): Job => ({
    file: repository.metadata(`${file}.json`),
    by: repository.metadata(`${delegator}.json`),
    role,
  });
  const jobs = [
    by('1.root', 'root', '1.root'),
    by('1.root', 'root', '2.root'),
    by('2.root', 'root', '2.root'),
    by('2.root', 'root', '3.root'),
    by('3.root', 'root', '3.root'),
    by('3.root', 'targets', '1.targets'),
    by('3.root', 'snapshot', '1.snapshot'),
    by('3.root', 'timestamp', 'timestamp'),
    by('1.targets', 'team', '1.team'),
    by('1.targets', 'bins', '1.bins'),
    by('1.bins', 'bin-0', '1.bin-0'),
  ];

  it('agrees on canonical bytes, key ids and who signed', () => {
    const judged = judge(jobs);
    expect(judged).toEqual(jobs.map(ourJudgement));
    for (const { keyids, signers, threshold } of judged) {
      for (const [id, recomputed] of Object.entries(keyids)) expect(recomputed).toBe(id);
      expect(signers.length).toBeGreaterThanOrEqual(threshold);
    }
  });

  it('agrees on a root that the old keys did not sign', () => {
    const job = by('1.root', 'root', '3.root');
    const [judged] = judge([job]);
    expect(judged).toEqual(ourJudgement(job));
    expect(judged?.signers.length).toBeLessThan(judged?.threshold ?? 0);
  });

  it('agrees on real roots of Sigstore', () => {
    const real = [8, 9, 10, 12, 13, 14, 15, 16].map((version) => {
      const file = path.join(SIGSTORE, `${version}.root.json`);
      return { file, by: file, role: 'root' };
    });
    expect(judge(real)).toEqual(real.map(ourJudgement));
  });

  it('agrees on the canonical bytes of names and texts of every kind', () => {
    const texts = [
      '\u0000\u0001\n\r\t',
      '"\\"\\\\n',
      '\u007f\u0080\u2028',
      '\ud7ff\ue000\uffff',
      '\u{1f600}',
      '',
    ];
    const keys = ['b', 'a', 'B', '_', '\u0001', '10', '9', '\ue000', '\ud7ff', 'é', 'e\u0301', '"', '\\'];
    const custom = Object.fromEntries(
      keys.map((key, index) => [key, [texts, index - 6, null, true, {}, []]]),
    );
    const body = { _type: 'targets', spec_version: '1.0.31', version: 1, expires: '2041-01-02T03:04:05Z' };
    const file = folder.join('texts.json');
    writeFileSync(
      file,
      JSON.stringify({ signed: { ...body, targets: {}, 'x-own': custom }, signatures: [] }),
    );
    const by1 = repository.metadata('1.root.json');
    const job = { file, by: by1, role: 'targets' };
    expect(judge([job])).toEqual([ourJudgement(job)]);
  });
});

function run(program: string, args: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync(program, args, { timeout: 60_000 });
  if (status !== 0) throw new Error(`${program}: ${stderr.toString()}${stdout.toString()}`);
  return stdout;
}

function jq(filter: string, file: string, id = ''): Buffer {
  const library = path.join(PROJECT_ROOT, 'test/support');
  return run('jq', ['-j', '-L', library, '--arg', 'id', id, `include "tuf-canonical"; ${filter}`, file]);
}

describe('OpenSSL and jq', () => {
  it.each(['1.root.json', '2.root.json', '3.root.json'])('rebuild %s and verify each signature', (name) => {
    const file = repository.metadata(name);
    const canonical = jq('.signed | canonical', file);
    const { signed, signatures } = readTufRoot(readFileSync(file));
    expect(canonical.equals(signedBytes(signed))).toBe(true);
    const message = folder.join(`${name}.signed`);
    writeFileSync(message, canonical);
    let verified = 0;
    for (const { keyid, sig } of signatures) {
      const [pem, signature] = [folder.join(`${keyid}.pem`), folder.join(`${keyid}.sig`)];
      const held = jq('(.signed.keys[$id].keyval.public)? // empty', file, keyid);
      if (held.length === 0) continue; // A key of the root before, which is not in this one.
      writeFileSync(pem, held);
      writeFileSync(signature, Buffer.from(sig, 'hex'));
      run('openssl', ['dgst', '-sha256', '-verify', pem, '-signature', signature, message]);
      const keyFile = jq('.signed.keys[$id] | canonical', file, keyid);
      expect(sha256(keyFile)).toBe(keyid);
      verified += 1;
    }
    expect(verified).toBe(
      countSignatures({ signed, signatures }, signed.keys, signed.roles.root).good.length,
    );
    expect(verified).toBeGreaterThanOrEqual(signed.roles.root.threshold);
  });
});

describe('touchstone tuf verify', () => {
  function verify(...options: readonly string[]): { status: number | null; problems: readonly unknown[] } {
    const program = path.join(PROJECT_ROOT, 'dist/bin/touchstone.js');
    const root = repository.metadata('1.root.json');
    const args = ['tuf', 'verify', repository.folder, '--root', root, '--json', ...options];
    const { status, stdout } = spawnSync(process.execPath, [program, ...args], { timeout: 60_000 });
    return { status, ...(JSON.parse(stdout.toString()) as { problems: readonly unknown[] }) };
  }

  it('takes it, and what only some clients read is a problem where the profile is asked for', () => {
    expect(verify('--profile', 'portable')).toMatchObject({ status: 0, problems: [] });
    const file = repository.metadata('timestamp.json');
    const published = readFileSync(file);
    const signed = { ...readTuf(published).signed, expires: '2041-01-02T03:04:05.000Z' };
    writeFileSync(file, envelopeBytes(signed, [repository.online.signature(signed)]));
    try {
      expect(verify()).toMatchObject({ status: 0, problems: [] });
      expect(verify('--profile', 'portable')).toMatchObject({
        status: 6,
        problems: [
          { name: 'timestamp', problem: expect.stringMatching(/^expires-form: expires: /) as string },
        ],
      });
    } finally {
      writeFileSync(file, published);
    }
  });
});

describe('our own linter', () => {
  it.each(NAMES)('has nothing to say about %s', (name) => {
    expect(lintTuf(readTuf(repository.files.get(name) ?? Buffer.alloc(0)))).toEqual([]);
  });
});
