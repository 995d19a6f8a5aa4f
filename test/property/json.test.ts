/** Strict JSON agrees with the platform on values, and with a naive oracle on what must be refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonStrict } from '../../src/encoding/json.js';
import { codeOf, thrownBy } from '../support/error-code.js';

/** A JSON document as a tree that can hold duplicate keys, unlike a JavaScript object. */
type Tree =
  | string
  | number
  | boolean
  | null
  | { readonly list: readonly Tree[] }
  | { readonly members: readonly (readonly [string, Tree])[] };

const key = fc.oneof(
  fc.constantFrom('a', 'b', 'c', '__proto__', 'a"', 'a\\', 'constructor', 'é'),
  fc.string({ maxLength: 3 }),
);

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'grapheme', maxLength: 6 }),
    fc.constantFrom('":', '\\"', '{"a":1,"a":2}', '\\', ','),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('tree'), { maxLength: 3 }).map((list) => ({ list })),
    fc.array(fc.tuple(key, tie('tree')), { maxLength: 4 }).map((members) => ({ members })),
  ),
}));

interface Style {
  readonly space: string;
  readonly escapes: boolean;
}

function quote(text: string, { escapes }: Style): string {
  if (!escapes) return JSON.stringify(text);
  const units = text.split('').map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `"${units.join('')}"`;
}

function write(value: Tree, style: Style): string {
  const { space } = style;
  if (typeof value === 'string') return quote(value, style);
  if (value === null || typeof value !== 'object') return String(value);
  if ('list' in value) return `[${space}${value.list.map((item) => write(item, style)).join(`${space},`)}]`;
  const members = value.members.map(
    ([name, item]) => `${space}${quote(name, style)}${space}:${space}${write(item, style)}`,
  );
  return `{${members.join(',')}${space}}`;
}

/** The oracle: looks at the tree, not at the text. */
function isAcceptable(value: Tree): boolean {
  if (value === null || typeof value !== 'object') return true;
  if ('list' in value) return value.list.every(isAcceptable);
  const names = value.members.map(([name]) => name);
  if (new Set(names).size !== names.length || names.includes('__proto__')) return false;
  return value.members.every(([, item]) => isAcceptable(item));
}

const style: fc.Arbitrary<Style> = fc.record({
  space: fc.constantFrom('', ' ', '\n', '\r\n\t'),
  escapes: fc.boolean(),
});

it('refuses duplicate and __proto__ keys exactly where the oracle finds them', () => {
  fc.assert(
    fc.property(tree, style, fc.boolean(), (value, how, asBytes) => {
      const text = write(value, how);
      const source = asBytes ? Buffer.from(text) : text;
      if (isAcceptable(value)) expect(parseJsonStrict(source, 'document')).toEqual(JSON.parse(text));
      else expect(codeOf(() => parseJsonStrict(source, 'document'))).toBe('usage.invalid');
    }),
    { numRuns: 2000 },
  );
});

it('accepts text exactly when the platform does', () => {
  const token = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"b"',
    '1',
    '-0',
    '01',
    '1.',
    '1e5',
    'true',
    'nul',
    ' ',
    '\n',
    '"',
    '\\',
    '\u0001',
    '/**/',
    '\u00a0',
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 8 }), (tokens) => {
      const text = tokens.join('');
      let valid = true;
      try {
        JSON.parse(text);
      } catch {
        valid = false;
      }
      const isDuplicate = /"([ab])":.*"\1":/s.test(text);
      if (!valid) expect(thrownBy(() => parseJsonStrict(text, 'document')).message).toContain('not JSON');
      else if (!isDuplicate) expect(parseJsonStrict(text, 'document')).toEqual(JSON.parse(text));
    }),
    { numRuns: 5000 },
  );
});

describe('says where', () => {
  it.each([
    ['{"a":1,\n "a":2}', 2, 2],
    ['{"a":1,"b":{"c":[1,{"d":1,"d":2}]}}', 1, 27],
    ['{"a":}', 1, 6],
    ['{"a":1', 1, 7],
    ['[1,\n2,\n]', 3, 1],
    ['{"a":1}x', 1, 8],
    ['{"a" 1}', 1, 6],
    ['{a:1}', 1, 2],
    ['["\\x"]', 1, 2],
    ['', 1, 1],
    ['{"\\u0061":1,"a":2}', 1, 13],
    ['["\\ud800"]', 1, 2],
    ['{"__proto__":1}', 1, 2],
    ['{"\\u005f_proto__":1}', 1, 2],
    ["{'a':1}", 1, 2],
  ])('%j: line %i, column %i', (text, line, column) => {
    const error = thrownBy(() => parseJsonStrict(text, 'request', 'rpc.parse'));
    expect(error.code).toBe('rpc.parse');
    expect(error.details).toEqual({ line, column });
    expect(error.message).toContain(`request: `);
  });

  it('without repeating what stands there', () => {
    expect(thrownBy(() => parseJsonStrict('{"pin":"123456"', 'request')).message).not.toContain('123456');
    expect(thrownBy(() => parseJsonStrict('{"s3cret":1,"s3cret":2}', 'request')).message).not.toContain(
      's3cret',
    );
  });
});

it('refuses bytes that are not UTF-8', () => {
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0x80, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x22, 0xe2, 0x82, 0x22],
  ]) {
    expect(codeOf(() => parseJsonStrict(Buffer.from(bytes), 'document'))).toBe('usage.invalid');
  }
  expect(codeOf(() => parseJsonStrict(Buffer.from('\ufeff{}'), 'document'))).toBe('usage.invalid');
});

it('goes 32 levels deep and no further', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  expect(parseJsonStrict(nested(32), 'document')).toBeInstanceOf(Array);
  expect(codeOf(() => parseJsonStrict(nested(33), 'document'))).toBe('usage.invalid');
  expect(codeOf(() => parseJsonStrict(nested(100_000), 'document'))).toBe('usage.invalid');
});

it('finds a duplicate among many keys, and does not take forever with escapes', () => {
  const names = Array.from({ length: 20_000 }, (_, number) => `"k${number}":"x\\n\\\\"`);
  expect(Object.keys(parseJsonStrict(`{${names.join(',')}}`, 'document') as object).length).toBe(20_000);
  expect(codeOf(() => parseJsonStrict(`{${names.join(',')},"k17":1}`, 'document'))).toBe('usage.invalid');
  const backslashes = `["${'\\\\'.repeat(200_000)}","${'\\"'.repeat(200_000)}"]`;
  expect(parseJsonStrict(backslashes, 'document')).toEqual(JSON.parse(backslashes));
});
