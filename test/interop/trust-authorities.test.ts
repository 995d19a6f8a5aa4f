/** Pinned authorities: chains that OpenSSL made are taken and refused exactly as the stock client takes and refuses them. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TrustServer } from '../../src/trust/server.js';
import { MadeRepository } from '../support/made-repository.js';
import { NotaryClient } from '../support/notary-client.js';
import { SoftwareSigner } from '../support/software-signer.js';
import { TempFolder } from '../support/temp-folder.js';
import { TrustReader } from '../support/trust-reader.js';
import { TrustStack } from '../support/trust-stack.js';

let stack: TrustStack;
beforeAll(async () => {
  stack = await TrustStack.start();
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
});

interface Link {
  readonly name: string;
  readonly extensions: readonly string[];
}

let count = 0;

/** Makes a chain from the authority down; the last link is for the key of the root. Answers their files, PEM. */
function chainIn(folder: TempFolder, links: readonly Link[], root: SoftwareSigner): readonly string[] {
  writeFileSync(folder.join('req.cnf'), '[req]\ndistinguished_name = dn\n[dn]\n');
  return links.map(({ name, extensions }, at) => {
    const [key, certificate] = [folder.join(`${at}.key`), folder.join(`${at}.crt`)];
    if (at === links.length - 1) writeFileSync(key, root.privatePem);
    else execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key]);
    const issuer =
      at === 0 ? [] : ['-CA', folder.join(`${at - 1}.crt`), '-CAkey', folder.join(`${at - 1}.key`)];
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-config', folder.join('req.cnf'), '-days', '3000', '-sha256', '-key', key],
        ...['-subj', `/CN=${name.replaceAll('/', '\\/')}`, '-out', certificate, ...issuer],
        ...extensions.flatMap((extension) => ['-addext', extension]),
      ],
      { stdio: 'pipe' },
    );
    return readFileSync(certificate, 'utf8');
  });
}

const CA = 'basicConstraints=critical,CA:TRUE';
const LEAF = 'basicConstraints=critical,CA:FALSE';

function only(name: string): string {
  return `nameConstraints=critical,permitted;${name}`;
}

function without(name: string): string {
  return `nameConstraints=critical,excluded;${name}`;
}

function names(name: string): string {
  return `subjectAltName=${name}`;
}

describe('a chain', () => {
  it.each<readonly [string, readonly (readonly string[])[], boolean]>([
    ['of two', [[CA], [LEAF]], true],
    ['of three', [[CA], [CA], [LEAF]], true],
    [
      'for servers all the way',
      [[CA], [CA, 'extendedKeyUsage=serverAuth'], [LEAF, 'extendedKeyUsage=serverAuth']],
      true,
    ],
    ['for anything', [[CA], [LEAF, 'extendedKeyUsage=anyExtendedKeyUsage']], true],
    ['for code signing', [[CA], [LEAF, 'extendedKeyUsage=codeSigning']], false],
    ['of an authority for clients', [[CA], [CA, 'extendedKeyUsage=clientAuth'], [LEAF]], false],
    ['of a pinned authority for clients', [[CA, 'extendedKeyUsage=clientAuth'], [LEAF]], false],
    ['as long as the path allows', [[`${CA},pathlen:1`], [`${CA},pathlen:0`], [LEAF]], true],
    ['longer than the pinned authority allows', [[`${CA},pathlen:0`], [CA], [LEAF]], false],
    ['longer than one between allows', [[CA], [`${CA},pathlen:0`], [CA], [LEAF]], false],
    ['for other hosts, of a root that names none', [[CA, only('DNS:example.com')], [LEAF]], true],
    [
      'for a host below',
      [
        [CA, only('DNS:example.com')],
        [LEAF, names('DNS:a.EXAMPLE.com')],
      ],
      true,
    ],
    [
      'for another host',
      [
        [CA, only('DNS:example.com')],
        [LEAF, names('DNS:badexample.com')],
      ],
      false,
    ],
    [
      'for hosts below only',
      [
        [CA, only('DNS:.example.com')],
        [LEAF, names('DNS:example.com')],
      ],
      false,
    ],
    ['that excludes it', [[CA], [CA, without('DNS:example.com')], [LEAF, names('DNS:a.example.com')]], false],
    [
      'that excludes others',
      [
        [CA, without('DNS:b.example.com')],
        [LEAF, names('DNS:example.com')],
      ],
      true,
    ],
    [
      'for an address',
      [
        [CA, only('IP:10.0.0.0/255.0.0.0')],
        [LEAF, names('IP:10.1.2.3')],
      ],
      true,
    ],
    [
      'for other addresses',
      [
        [CA, only('IP:10.0.0.0/255.0.0.0')],
        [LEAF, names('IP:11.1.2.3')],
      ],
      false,
    ],
    [
      'for its mail',
      [
        [CA, only('email:example.com')],
        [LEAF, names('email:me@example.com')],
      ],
      true,
    ],
    [
      'for one mailbox',
      [
        [CA, only('email:me@example.com')],
        [LEAF, names('email:you@example.com')],
      ],
      false,
    ],
    [
      'for its URI',
      [
        [CA, only('URI:.example.com')],
        [LEAF, names('URI:https://a.example.com:1/x')],
      ],
      true,
    ],
    [
      'for another URI',
      [
        [CA, only('URI:.example.com')],
        [LEAF, names('URI:https://10.1.2.3/x')],
      ],
      false,
    ],
    ['for what nobody checks', [[CA, only('RID:1.2.3')], [LEAF]], false],
    ['for what nobody checks, and may', [[CA, 'nameConstraints=permitted;RID:1.2.3'], [LEAF]], true],
    ['with a critical field that nobody knows', [[CA, '1.2.3.4=critical,ASN1:NULL'], [LEAF]], false],
    ['of a root with such a field', [[CA], [LEAF, '1.2.3.4=critical,ASN1:NULL']], false],
    ['of a root with a field that may be passed over', [[CA], [LEAF, '1.2.3.4=ASN1:NULL']], true],
  ])('%s', async (_name, extensions, isTaken) => {
    using folder = new TempFolder();
    const gun = `localhost:5000/authorities/${(count += 1)}`;
    const key = SoftwareSigner.make();
    const last = extensions.length - 1;
    const links = extensions.map((one, at) => ({ name: at === last ? gun : `ca ${at}`, extensions: one }));
    const [authority = '', ...rest] = chainIn(folder, links, key);
    const root = key.wrapped([...rest].reverse().join(''));
    const server = new TrustServer(gun, {
      env: {},
      home: '/nonexistent',
      server: stack.server.url,
      ca: readFileSync(stack.authority.certificate, 'utf8'),
      deadline: Date.now() + 30_000,
    });
    const made = new MadeRepository(gun, [root]);
    for (const role of ['timestamp', 'snapshot'] as const) {
      made.roles[role].members = [SoftwareSigner.publicOnly(await server.serverKey(role))];
      made.roles[role].signing = [];
    }
    made.sign('targets', 'v1', 'a').publish({ root: true });
    const parts = ['root', 'targets'].map((role) => [role, made.files.get(role) ?? Buffer.alloc(0)] as const);
    await server.upload(new Map(parts));
    const file = folder.join('authority.pem');
    writeFileSync(file, authority);
    using notary = new NotaryClient(stack.server, {
      configuration: { trust_pinning: { ca: { [gun]: file }, disable_tofu: true } },
    });
    expect((await notary.run('list', gun)).status === 0).toBe(isTaken);
    using reader = new TrustReader(stack.server);
    await reader.must('pin', gun, '--root-ca', file);
    expect((await reader.run('list', gun, '--no-tofu')).status).toBe(isTaken ? 0 : 6);
  });
});
