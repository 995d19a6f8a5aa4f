/**
 * However a body is spelled, the engine must never take an image from it that the plugin did not see. The engine's reader is written down
 * here as its documentation has it: keys in any case (with the letters that Unicode folds to ASCII), and the last one wins.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readContainerBody, UnjudgedBody } from '../../src/gateways/docker-authz/start-body.js';
import { parseTarget } from '../../src/gateways/docker-authz/target.js';
import { operationOf } from '../../src/gateways/docker-authz/operation.js';

type Member = readonly [string, string];

/** One letter as Go's reader of JSON sees it. */
function foldLetter(letter: string): string {
  if (letter === '\u017f') return 's';
  if (letter === '\u212a') return 'k';
  return letter.toLowerCase();
}

function asEngine(members: readonly Member[], name: string): string | undefined {
  const fold = (text: string): string => Array.from(text, foldLetter).join('');
  return members.filter(([key]) => fold(key) === fold(name)).at(-1)?.[1];
}

/** `word` in random case, with the odd letter that folds into it. */
function spelled(word: string): fc.Arbitrary<string> {
  const letters = Array.from(word, (letter) => {
    const others: Readonly<Record<string, string>> = { s: '\u017f', k: '\u212a' };
    return fc.constantFrom(
      letter,
      letter,
      letter.toLowerCase(),
      letter.toUpperCase(),
      others[letter] ?? letter,
    );
  });
  return fc.tuple(...letters).map((all) => all.join(''));
}

/** A JSON string for the key, with some letters as escapes. */
function written(key: string): fc.Arbitrary<string> {
  const letters = Array.from(key, (letter) =>
    fc
      .boolean()
      .map((isEscaped) => (isEscaped ? `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}` : letter)),
  );
  return fc.tuple(...letters).map((all) => `"${all.join('')}"`);
}

const key = fc.oneof(spelled('Image'), spelled('HostConfig'), spelled('Masks'), fc.constant('Image'));
const member = fc.tuple(key, fc.constantFrom('good', 'bad', 'worse'));

describe('a body', () => {
  it('is read as the engine reads it, or not at all', () => {
    const body = fc
      .array(member, { minLength: 1, maxLength: 4 })
      .chain((members) =>
        fc.tuple(fc.constant(members), fc.tuple(...members.map(([name]) => written(name)))),
      );
    let judged = 0;
    fc.assert(
      fc.property(body, ([members, keys]) => {
        const text = `{${members.map(([, value], at) => `${keys[at] ?? ''}:"${value}"`).join(',')}}`;
        let image: string | undefined;
        try {
          [image] = readContainerBody(Buffer.from(text)).images;
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(UnjudgedBody);
          return;
        }
        judged += 1;
        expect(image).toBe(asEngine(members, 'Image'));
      }),
      { numRuns: 3_000 },
    );
    expect(judged).toBeGreaterThan(50);
  });

  it('of any bytes is judged or refused, never an accident', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          try {
            expect(readContainerBody(Buffer.from(bytes)).images.length).toBeGreaterThan(0);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(UnjudgedBody);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('a path', () => {
  /** The decoded path without empty and dot segments and one version in front: where a lenient router would end up. */
  function lenient(uri: string): string {
    let path = uri;
    for (let before = ''; before !== path;) {
      before = path;
      path = decodeURIComponent(path.replaceAll(/%(?![0-9a-fA-F]{2})/g, '%25')).toLowerCase();
    }
    const segments = path.split(/[/\\]+/).filter((one) => one !== '' && one !== '.');
    return segments.filter((one) => !/^v[0-9.]+$/.test(one)).join('/');
  }

  it('that any router could take for a start is judged as one, or refused', () => {
    const piece = fc.constantFrom(
      ...[
        '/',
        '//',
        '/./',
        '\\',
        '%2f',
        '%2F',
        '%252f',
        'v1.41',
        'containers',
        'Containers',
        'create',
        'CREATE',
        '%63reate',
      ],
    );
    let found = 0;
    fc.assert(
      fc.property(fc.array(piece, { minLength: 2, maxLength: 7 }), (pieces) => {
        const uri = pieces.join('');
        if (lenient(uri) !== 'containers/create') return;
        found += 1;
        const target = parseTarget(uri);
        const kind = target === undefined ? 'unknown' : operationOf('POST', target.segments).kind;
        expect(['unknown', 'create-container']).toContain(kind);
      }),
      { numRuns: 20_000 },
    );
    expect(found).toBeGreaterThan(20);
  });
});
