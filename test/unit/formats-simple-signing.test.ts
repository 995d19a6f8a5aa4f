import { describe, expect, it } from 'vitest';
import {
  buildSimpleSigning,
  describeSimpleSigning,
  parseSimpleSigning,
  repositoryOf,
} from '../../src/formats/simple-signing.js';
import { DIGEST_TEXT } from '../support/signable-bytes.js';
import { thrownBy } from '../support/error-code.js';

const VALID =
  `{"critical":{"identity":{"docker-reference":"index.docker.io/library/alpine"},"image":` +
  `{"docker-manifest-digest":"${DIGEST_TEXT}"},"type":"cosign container image signature"},"optional":null}`;

function rejects(text: string): string {
  const error = thrownBy(() => parseSimpleSigning(Buffer.from(text)));
  expect(error.code).toBe('statement.unrecognised');
  return error.message;
}

describe('simple signing', () => {
  it("writes cosign's bytes", () => {
    const built = buildSimpleSigning({ reference: 'index.docker.io/library/alpine', digest: DIGEST_TEXT });
    expect(built.toString()).toBe(VALID);
  });

  it('sorts annotations by their bytes and escapes as Go does', () => {
    const optional = { b: '<&>', a: 'x\u2028', '\ud83d\ude00': '1', '\uffee': '2' };
    const built = buildSimpleSigning({ reference: 'a/b', digest: DIGEST_TEXT, optional }).toString();
    expect(built).toContain(
      `"optional":{"a":"x\\u2028","b":"\\u003c\\u0026\\u003e","\uffee":"2","\ud83d\ude00":"1"}}`,
    );
    expect(parseSimpleSigning(Buffer.from(built)).optional).toEqual(optional);
  });

  it('keeps numeric annotation keys in byte order, which objects of JavaScript do not', () => {
    const built = buildSimpleSigning({
      reference: 'a/b',
      digest: DIGEST_TEXT,
      optional: { '9': 'x', '10': 'y' },
    });
    expect(built.toString()).toContain('"optional":{"10":"y","9":"x"}');
  });

  it('tells the repository without tag and digest', () => {
    expect(repositoryOf('docker.io/library/hello')).toBe('docker.io/library/hello');
    expect(repositoryOf('localhost:5000/hello')).toBe('localhost:5000/hello');
    expect(repositoryOf('localhost:5000/hello:1.2')).toBe('localhost:5000/hello');
    expect(repositoryOf(`r.example/a/b:1@${DIGEST_TEXT}`)).toBe('r.example/a/b');
    expect(repositoryOf('hello:latest')).toBe('hello');
  });

  it('gives facts and counts annotations', () => {
    const optional = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`k${index}`, 'v']));
    const built = buildSimpleSigning({ reference: 'r.example/a:1', digest: DIGEST_TEXT, optional });
    const statement = describeSimpleSigning(built);
    expect(statement.repository).toBe('r.example/a');
    expect(statement.summary).toEqual(['image r.example/a:1', DIGEST_TEXT]);
    expect(statement.facts['annotations']).toBe(8);
    expect(statement.facts['annotationKeys']).toEqual(['k0', 'k1', 'k2', 'k3', 'k4']);
  });

  it('accepts the example it then breaks', () => {
    expect(parseSimpleSigning(Buffer.from(VALID)).digest).toBe(DIGEST_TEXT);
  });

  it.each([
    ['a space before', ` ${VALID}`],
    ['a byte order mark', `\ufeff${VALID}`],
    ['spaces inside the start', VALID.replace('{"critical":{', '{ "critical": {')],
    ['something after', `${VALID}{}`],
    ['cut off', VALID.slice(0, -1)],
    ['a further field', VALID.replace('"optional":null', '"optional":null,"extra":1')],
    ['no optional', VALID.replace(',"optional":null', '')],
    ['optional as a list', VALID.replace('null', '[]')],
    ['optional as text', VALID.replace('null', '"x"')],
    ['another type', VALID.replace('cosign container', 'atomic container')],
    ['a short digest', VALID.replace('sha256:ab', 'sha256:')],
    ['an upper-case digest', VALID.replace('sha256:ab', 'sha256:AB')],
    ['another hash', VALID.replace('sha256:', 'sha512:')],
    ['a digest in a list', VALID.replace(`"${DIGEST_TEXT}"`, `["${DIGEST_TEXT}"]`)],
    ['an empty reference', VALID.replace('index.docker.io/library/alpine', '')],
    ['a reference with a space', VALID.replace('library/', 'library /')],
    ['a reference with an escape', VALID.replace('library/', 'library\\u0000/')],
    ['a further identity', VALID.replace('"docker-reference"', '"x":1,"docker-reference"')],
    ['a duplicate key', VALID.replace('"docker-reference"', '"docker-reference":"a","docker-reference"')],
    ['a duplicate critical', VALID.replace('"optional":null', '"critical":{},"optional":null')],
    ['a case variant', VALID.replace('"image"', '"Image"')],
    ['__proto__', VALID.replace('null', '{"__proto__":{}}')],
    ['identity as a list', VALID.replace(/\{"docker-reference":"[^"]*"\}/, '["docker-reference"]')],
  ])('refuses %s', (_, text) => {
    expect(text).not.toBe(VALID);
    rejects(text);
  });

  it('refuses bytes that are not UTF-8', () => {
    const bytes = Buffer.from(VALID.replace('null', '{"k":"?"}'));
    bytes[bytes.indexOf('?')] = 0xff;
    expect(thrownBy(() => parseSimpleSigning(bytes)).code).toBe('statement.unrecognised');
  });

  it('does not repeat the payload in an error', () => {
    expect(rejects(VALID.replace('cosign container image', 'secret-word'))).not.toContain('secret-word');
    expect(rejects(VALID.replace('null', 'secret-word'))).not.toContain('secret-word');
  });

  it.each([
    ['reference', { reference: 'a b', digest: DIGEST_TEXT }],
    ['reference', { reference: '', digest: DIGEST_TEXT }],
    ['digest', { reference: 'a', digest: 'sha256:00' }],
    ['digest', { reference: 'a', digest: DIGEST_TEXT.toUpperCase() }],
  ])('does not write an invalid %s', (field, fields) => {
    const error = thrownBy(() => buildSimpleSigning(fields));
    expect(error.code).toBe('usage.invalid');
    expect(error.message).toContain(field);
  });
});
