/** Documents of Docker Content Trust: byte for byte as the real tools write them, and refused where a reader could be led astray. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonicalJson, escapeAsGo } from '../../src/encoding/canonical-json.js';
import { describe as describeBytes, kindOf } from '../../src/formats/describe.js';
import { notaryTime, type NotaryDocument } from '../../src/formats/notary1/document.js';
import {
  canonicalKeyId,
  notaryKeyFromCertificates,
  notarySpki,
  publicKeyOf,
  tufKeyId,
} from '../../src/formats/notary1/key.js';
import { readEnvelope, type SignedDocument } from '../../src/formats/notary1/reader.js';
import { isDelegation } from '../../src/formats/notary1/role-name.js';
import {
  checkRootCertificate,
  coversRepository,
  repositoryOfRoot,
} from '../../src/formats/notary1/root-certificate.js';
import { isSignatureBy, signersOf } from '../../src/formats/notary1/signature.js';
import { envelopeOf, fileMetaOf, signedBytesOf } from '../../src/formats/notary1/writer.js';
import { PassingMemory } from '../../src/trust/memory.js';
import { PinSet } from '../../src/trust/pins.js';
import { signedTags } from '../../src/trust/approvals.js';
import { updateCollection } from '../../src/trust/update.js';
import { codeOf } from '../support/error-code.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { SoftwareSigner } from '../support/software-signer.js';

interface RepositoryVector {
  readonly repository: string;
  readonly madeAt: string;
  readonly canonicalIds: readonly { readonly role: string; readonly id: string }[];
  readonly delegations: readonly { readonly role: string; readonly id: string }[];
  readonly files: Readonly<Record<string, string>>;
}
interface CanonicalVector {
  readonly valid: readonly { readonly value: unknown; readonly canonical: string; readonly stored: string }[];
  readonly invalid: readonly { readonly value: unknown; readonly why: string }[];
}

function vector(name: string): unknown {
  return JSON.parse(readFileSync(path.join(PROJECT_ROOT, 'test/vectors/notary1', name), 'utf8'));
}

const real = vector('repository.json') as RepositoryVector;
const canonical = vector('canonical-json.json') as CanonicalVector;
const files = new Map(Object.entries(real.files).map(([name, text]) => [name, Buffer.from(text, 'utf8')]));

function typeOf(name: string): NotaryDocument['type'] {
  if (name.endsWith('root')) return 'root';
  return name === 'snapshot' || name === 'timestamp' ? name : 'targets';
}

function readReal(name: string): SignedDocument {
  return readEnvelope(files.get(name) ?? Buffer.alloc(0), typeOf(name));
}

function root(): SignedDocument<Extract<NotaryDocument, { type: 'root' }>> {
  return readEnvelope(files.get('root') ?? Buffer.alloc(0), 'root');
}

describe('canonical JSON', () => {
  it.each(canonical.valid)('of $canonical', ({ value, canonical: expected, stored }) => {
    const text = canonicalJson(value, 'test', 'notary.document');
    expect([text, escapeAsGo(text)]).toEqual([expected, stored]);
  });

  it.each(canonical.invalid)('has no form for $why', ({ value }) => {
    expect(codeOf(() => canonicalJson(value, 'test', 'notary.document'))).toBe('notary.document');
  });
});

describe('files of the real tools', () => {
  it.each([...files.keys()])('%s is written again as it came', (name) => {
    const { document, signedBytes, signatures, file } = readReal(name);
    expect(signedBytesOf(document).equals(signedBytes)).toBe(true);
    expect(envelopeOf(signedBytes, signatures).equals(file)).toBe(true);
  });

  it.each([...files.keys()])('%s is described as one kind', (name) => {
    const { document, signedBytes } = readReal(name);
    const kind = kindOf(signedBytes) ?? '';
    const statement = describeBytes(kind, signedBytes);
    expect(kind).toBe(`notary.${document.type}`);
    expect([statement.document?.version, statement.repository]).toEqual([
      document.version,
      document.type === 'root' ? real.repository : undefined,
    ]);
  });

  it('have the key ids that the client prints', () => {
    const { keys, roles } = root().document;
    const found = [...keys].map(([id, key]) => {
      expect(tufKeyId(key)).toBe(id);
      return canonicalKeyId(key);
    });
    for (const { role, id } of real.canonicalIds) if (role !== 'alice') expect(found).toContain(id);
    expect(roles.root.keyids.some((id) => found.includes(id))).toBe(false);
    const targets = readEnvelope(files.get('targets') ?? Buffer.alloc(0), 'targets').document;
    expect([...targets.delegations.keys.values()].map(canonicalKeyId)).toEqual([real.delegations[0]?.id]);
    expect(repositoryOfRoot(root().document)).toBe(real.repository);
  });

  it('list each other by length and hash', () => {
    const { document } = readEnvelope(files.get('snapshot') ?? Buffer.alloc(0), 'snapshot');
    for (const [name, { length, hashes }] of document.meta) {
      expect(fileMetaOf(files.get(name) ?? Buffer.alloc(0))).toMatchObject({
        length,
        hashes: { sha256: hashes.sha256 },
      });
    }
    expect([...document.meta.keys()].sort()).toEqual([
      'root',
      'targets',
      'targets/alice',
      'targets/releases',
    ]);
  });

  it('are signed by the old and the new root', () => {
    const before = readEnvelope(files.get('2.root') ?? Buffer.alloc(0), 'root').document;
    const { signedBytes, signatures, document } = root();
    for (const { keys, roles } of [before, document]) {
      expect(signersOf(signedBytes, signatures, roles.root.keyids, keys)).toHaveLength(1);
    }
  });

  it('are a repository', async () => {
    const source = {
      repository: real.repository,
      fetch: (role: string, choice?: { readonly version?: number | undefined }) =>
        Promise.resolve(files.get(choice?.version === undefined ? role : `${choice.version}.${role}`)),
    };
    const options = {
      pins: new PinSet([], true),
      memory: new PassingMemory(),
      nowMs: Date.parse(real.madeAt),
    };
    const tags = signedTags(await updateCollection(source, options));
    expect(tags.map(({ tag, from, approvals }) => [tag, from, approvals.length])).toEqual([
      ['v1', 'targets', 0],
      ['v2 <b>&c', 'targets/releases', 1],
    ]);
  });
});

describe('a signature', () => {
  const message = Buffer.from('{"_type":"Timestamp"}');

  it.each(['p256', 'p384', 'ed25519', 'rsa'] as const)(
    'of %s counts for its key and its message',
    (algorithm) => {
      const signer = SoftwareSigner.make(algorithm);
      const signature = signer.sign(message);
      expect(isSignatureBy(signer.key, signature, message)).toBe(true);
      expect(
        isSignatureBy(signer.key, { ...signature, method: signature.method.toUpperCase() }, message),
      ).toBe(true);
      expect(isSignatureBy(signer.key, signature, Buffer.from('{"_type":"timestamp"}'))).toBe(false);
      expect(isSignatureBy(SoftwareSigner.make('p256').key, signature, message)).toBe(false);
      for (const method of ['ecdsa', 'eddsa', 'rsapss', 'rsapkcs1v15', 'none', '']) {
        expect(isSignatureBy(signer.key, { ...signature, method }, message)).toBe(
          method === signature.method,
        );
      }
    },
  );

  it('of a key that is too short, or of another type than it says, counts for nothing', () => {
    const short = SoftwareSigner.make('short-rsa');
    expect(isSignatureBy(short.key, short.sign(message), message)).toBe(false);
    const { key } = SoftwareSigner.make();
    expect(codeOf(() => publicKeyOf({ ...key, keytype: 'rsa' }))).toBe('notary.document');
  });
});

describe('keys and names', () => {
  it('in a certificate are known by the bare key', () => {
    const signer = SoftwareSigner.make();
    const certified = signer.certified('registry.example/acme/app');
    expect(certified.canonicalId).toBe(signer.id);
    expect(certified.id).not.toBe(signer.id);
    expect(notarySpki(certified.key).equals(notarySpki(signer.key))).toBe(true);
  });

  it.each(['CRLF', 'text before', 'text after', 'no final line feed'])('in a bundle with %s', (odd) => {
    const pem = SoftwareSigner.make().certificate('registry.example/acme/app');
    const texts = new Map([
      ['CRLF', pem.replaceAll('\n', '\r\n')],
      ['text before', `hello\n${pem}`],
      ['text after', `${pem}hello\n`],
      ['no final line feed', pem.trimEnd()],
    ]);
    const read = (): unknown => notaryKeyFromCertificates(texts.get(odd) ?? '');
    if (odd === 'no final line feed') expect(read).not.toThrow();
    else expect(codeOf(read)).toBe('notary.document');
  });

  it('of repositories are covered by themselves and by prefixes', () => {
    expect(coversRepository('r.example/a', 'r.example/a')).toBe(true);
    expect(coversRepository('r.example/*', 'r.example/a/b')).toBe(true);
    expect(coversRepository('r.example/a', 'r.example/ab')).toBe(false);
    expect(coversRepository('*.example/a', 'r.example/a')).toBe(false);
    const { key } = SoftwareSigner.make().certified('r.example/a*');
    expect(checkRootCertificate(key, 'r.example/abc', Date.now())).toBeUndefined();
    expect(codeOf(() => checkRootCertificate(key, 'r.example/b', Date.now()))).toBe('notary.pin');
  });

  it.each([
    ['targets/alice', true],
    ['targets/a-b_c/0', true],
    ['targets', false],
    ['targets/', false],
    ['targets//a', false],
    ['targets/../root', false],
    ['targets/Alice', false],
    ['targets/a.b', false],
    [`targets/${'a'.repeat(250)}`, false],
  ])('of roles: %s', (name, expected) => {
    expect(isDelegation(name)).toBe(expected);
  });

  it('of times are whole seconds', () => {
    expect(notaryTime(new Date(1_700_000_000_120))).toBe('2023-11-14T22:13:20Z');
  });
});

describe('a document is refused', () => {
  const text = files.get('targets')?.toString('utf8') ?? '';
  const change = (from: string | RegExp, to: string): Buffer => {
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    return Buffer.from(changed, 'utf8');
  };

  it.each<readonly [string, string | RegExp, string]>([
    ['in lower case', '"Targets"', '"targets"'],
    ['without a version', /"version":\d+/, '"version":0'],
    ['with a version that is no whole number', /"version":\d+/, '"version":1.5'],
    ['with a date that is none', /"expires":"[^"]+"/, '"expires":"tomorrow"'],
    ['with a key twice', '{"_type"', '{"_type":"Targets","_type"'],
    ['without sha256', /"sha256":/, '"sha1":'],
    ['with a hash that is too short', /"sha256":"[^"]+"/, '"sha256":"YWJj"'],
    ['with a length below 0', /"length":\d+/, '"length":-1'],
    ['with a role outside targets', '"targets/alice"', '"root/alice"'],
    ['with a threshold of 0', /"threshold":1/, '"threshold":0'],
    ['with a signature that is no base64', /"sig":"[^"]+"/, '"sig":"?"'],
    ['with something behind it', /$/, '{}'],
  ])('%s', (_, from, to) => {
    expect(codeOf(() => readEnvelope(change(from, to), 'targets'))).toBe('notary.document');
  });

  it('as another type than it is', () => {
    expect(codeOf(() => readEnvelope(Buffer.from(text), 'root'))).toBe('notary.document');
  });

  it('not for a key under an id that is not its own: that key signs nothing', () => {
    const id = real.delegations[0]?.id ?? '';
    const { delegations } = readEnvelope(
      change(new RegExp(`"${id}":\\{`), `"${'0'.repeat(64)}":{`),
      'targets',
    ).document;
    expect(delegations.keys.size).toBe(0);
  });
});
