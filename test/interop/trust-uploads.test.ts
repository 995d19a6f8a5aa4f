/**
 * What a real notary-server does with uploads that are not byte for byte what Go would write: it takes most of them, and the repository is
 * unreadable for everybody from then on. Nothing of ours may ever write one of these.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RootDocument, TargetsDocument } from '../../src/formats/notary1/document.js';
import { tufKeyId, type NotaryKey } from '../../src/formats/notary1/key.js';
import { signedBytesOf, envelopeOf } from '../../src/formats/notary1/writer.js';
import { firstRoot } from '../../src/trust/root-changes.js';
import { EMPTY_TARGETS } from '../../src/trust/draft.js';
import { TrustServer } from '../../src/trust/server.js';
import { NotaryClient } from '../support/notary-client.js';
import { rejectionOf } from '../support/rejection.js';
import { SoftwareSigner } from '../support/software-signer.js';
import { TrustStack } from '../support/trust-stack.js';

const EXPIRES = '2036-11-22T05:00:00Z';

let stack: TrustStack;
beforeAll(async () => {
  stack = await TrustStack.start();
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
});

let count = 0;

/** A repository whose files are about to be uploaded. */
class Uploads {
  readonly gun = `localhost:5000/uploads/${String((count += 1))}`;
  readonly root = SoftwareSigner.make().certified(this.gun);
  readonly targets = SoftwareSigner.make();
  readonly server = new TrustServer(this.gun, {
    env: {},
    home: '/nonexistent',
    server: stack.server.url,
    ca: readFileSync(stack.authority.certificate, 'utf8'),
    deadline: Date.now() + 30_000,
  });

  async rootDocument(): Promise<RootDocument> {
    const root = firstRoot({
      root: { keys: [this.root.key], threshold: 1 },
      targets: { keys: [this.targets.key], threshold: 1 },
      snapshot: { keys: [await this.server.serverKey('snapshot')], threshold: 1 },
      timestamp: { keys: [await this.server.serverKey('timestamp')], threshold: 1 },
    });
    return { ...root, version: 1, expires: EXPIRES };
  }

  targetsDocument(tag = 'v1', expires = EXPIRES): TargetsDocument {
    const target = { hashes: { sha256: 'a'.repeat(64) }, length: 423 };
    return { ...EMPTY_TARGETS, version: 1, expires, targets: new Map([[tag, target]]) };
  }

  /** Uploads root and targets; answers how it ended and whether the stock client can read it then. */
  async outcome(targets: Buffer, root?: Buffer): Promise<'readable' | 'unreadable' | 'refused'> {
    const document = await this.rootDocument();
    const parts = new Map([
      ['root', root ?? sealed(signedBytesOf(document), this.root)],
      ['targets', targets],
    ]);
    const refusal = await rejectionOf(this.server.upload(parts)).catch(() => undefined);
    if (refusal !== undefined) return 'refused';
    using notary = new NotaryClient(stack.server);
    return (await notary.run('list', this.gun)).status === 0 ? 'readable' : 'unreadable';
  }
}

function sealed(bytes: Buffer, signer: SoftwareSigner): Buffer {
  return envelopeOf(bytes, [signer.sign(bytes)]);
}

/** The envelope with another text for the signed part; the signature stays one over the canonical bytes. */
function rewritten(uploads: Uploads, document: TargetsDocument, change: (signed: string) => string): Buffer {
  const bytes = signedBytesOf(document);
  const envelope = sealed(bytes, uploads.targets).toString('utf8');
  const signed = /^\{"signed":(.*),"signatures":/s.exec(envelope)?.[1] ?? '';
  return Buffer.from(envelope.replace(signed, () => change(signed)));
}

describe('taken, and readable', () => {
  it.each([
    ['whole seconds', EXPIRES],
    ['milliseconds', '2036-11-22T05:00:00.123Z'],
    ['nine digits', '2036-11-22T05:00:00.123456789Z'],
  ])('%s', async (_name, expires) => {
    const uploads = new Uploads();
    const bytes = signedBytesOf(uploads.targetsDocument('v1', expires));
    expect(await uploads.outcome(sealed(bytes, uploads.targets))).toBe('readable');
  });

  it('names that Go escapes, written as Go does', async () => {
    const uploads = new Uploads();
    const bytes = signedBytesOf(uploads.targetsDocument('a<b>&c\u2028d'));
    expect(await uploads.outcome(sealed(bytes, uploads.targets))).toBe('readable');
  });
});

describe('taken, and unreadable for everybody', () => {
  it.each([
    ['.000Z', '2036-11-22T05:00:00.000Z'],
    ['.120Z', '2036-11-22T05:00:00.120Z'],
  ])('a time that ends in %s', async (_name, expires) => {
    const uploads = new Uploads();
    const bytes = signedBytesOf(uploads.targetsDocument('v1', expires));
    expect(await uploads.outcome(sealed(bytes, uploads.targets))).toBe('unreadable');
  });

  it.each<readonly [string, (signed: string) => string]>([
    ['spaces', (signed) => JSON.stringify(JSON.parse(signed), undefined, 2)],
    ['another order of keys', (signed) => signed.replace(/^\{("_type":"Targets"),(.*)\}$/s, '{$2,$1}')],
  ])('%s', async (_name, change) => {
    const uploads = new Uploads();
    const file = rewritten(uploads, uploads.targetsDocument(), change);
    expect(await uploads.outcome(file)).toBe('unreadable');
  });

  it('a field that the format does not have', async () => {
    const uploads = new Uploads();
    const text = signedBytesOf(uploads.targetsDocument()).toString('utf8');
    const bytes = Buffer.from(text.replace('"targets":', '"spec_version":"1.0","targets":'));
    expect(await uploads.outcome(sealed(bytes, uploads.targets))).toBe('unreadable');
  });

  it('a line feed at the end', async () => {
    const uploads = new Uploads();
    const file = sealed(signedBytesOf(uploads.targetsDocument()), uploads.targets);
    expect(await uploads.outcome(Buffer.concat([file, Buffer.from('\n')]))).toBe('unreadable');
  });

  it('a method in capitals', async () => {
    const uploads = new Uploads();
    const file = sealed(signedBytesOf(uploads.targetsDocument()), uploads.targets).toString('utf8');
    expect(await uploads.outcome(Buffer.from(file.replace('"ecdsa"', '"ECDSA"')))).toBe('unreadable');
  });

  it('a name that Go escapes, not escaped', async () => {
    const uploads = new Uploads();
    const file = rewritten(uploads, uploads.targetsDocument('a<b'), (signed) =>
      signed.replaceAll('\\u003c', '<'),
    );
    expect(await uploads.outcome(file)).toBe('unreadable');
  });
});

describe('refused', () => {
  it('a signature in DER', async () => {
    const uploads = new Uploads();
    const bytes = signedBytesOf(uploads.targetsDocument());
    const { sig, ...rest } = uploads.targets.sign(bytes);
    const r = Buffer.concat([Buffer.from([0x02, 0x21, 0]), sig.subarray(0, 32)]);
    const s = Buffer.concat([Buffer.from([0x02, 0x21, 0]), sig.subarray(32)]);
    const der = Buffer.concat([Buffer.from([0x30, r.length + s.length]), r, s]);
    expect(await uploads.outcome(envelopeOf(bytes, [{ ...rest, sig: der }]))).toBe('refused');
  });

  it.each<readonly [string, (pem: string) => string]>([
    ['CRLF', (pem) => pem.replaceAll('\n', '\r\n')],
    ['no line feed at the end', (pem) => pem.trimEnd()],
    ['a text in front', (pem) => `subject\n${pem}`],
  ])('a root certificate with %s', async (_name, change) => {
    const uploads = new Uploads();
    const pem = Buffer.from(uploads.root.key.public, 'base64').toString('utf8');
    const odd: NotaryKey = { ...uploads.root.key, public: Buffer.from(change(pem)).toString('base64') };
    const keyid = tufKeyId(odd);
    const document = await uploads.rootDocument();
    const keys = new Map([...document.keys].filter(([id]) => id !== uploads.root.id));
    const bytes = signedBytesOf({
      ...document,
      keys: keys.set(keyid, odd),
      roles: { ...document.roles, root: { keyids: [keyid], threshold: 1 } },
    });
    const root = envelopeOf(bytes, [{ ...uploads.root.sign(bytes), keyid }]);
    const targets = sealed(signedBytesOf(uploads.targetsDocument()), uploads.targets);
    expect(await uploads.outcome(targets, root)).toBe('refused');
  });

  it('a version that is not higher: the sign for "build on what there is now"', async () => {
    const uploads = new Uploads();
    const targets = sealed(signedBytesOf(uploads.targetsDocument()), uploads.targets);
    expect(await uploads.outcome(targets)).toBe('readable');
    const refusal = await rejectionOf(uploads.server.upload(new Map([['targets', targets]])));
    expect(refusal.code).toBe('notary.conflict');
  });
});
