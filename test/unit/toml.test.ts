/** Positions in TOML: a schema error points at the line that a person has to change. */
import { describe, expect, it } from 'vitest';
import { parseToml } from '../../src/encoding/toml.js';
import type { TomlPath } from '../../src/encoding/toml-positions.js';
import { thrownBy } from '../support/error-code.js';

const TEXT = `# touchstone.toml
version = 1
a.b = "x" # dotted
"quoted key" = '''
[not.a.table]
k = 1'''

[audit] # comment
durability = "fsync"
list = [
  "one", # [no]
  { two = 2, 'th.ree' = "]" },
]

[[token]]
name = "first \\" = ["
env = { SOFTHSM2_CONF = "/x", more.deep = true }

[[token]]
  name = """
second
name = "not here"
"""
  when = 2024-01-02T03:04:05Z

  [token.sub]
  "\\u00e9" = 1

[[token.part]]
n = 0
[[token.part]]
n = 1
`;

describe('positions', () => {
  const document = parseToml(TEXT, 'touchstone.toml');

  it('belong to a text that was read', () => {
    expect(document.value['version']).toBe(1);
  });

  it.each<[TomlPath, number, number]>([
    [['version'], 2, 1],
    [['a'], 3, 1],
    [['a', 'b'], 3, 1],
    [['quoted key'], 4, 1],
    [['audit'], 8, 1],
    [['audit', 'durability'], 9, 1],
    [['audit', 'list'], 10, 1],
    [['audit', 'list', 0], 11, 3],
    [['audit', 'list', 1], 12, 3],
    [['audit', 'list', 1, 'two'], 12, 5],
    [['audit', 'list', 1, 'th.ree'], 12, 14],
    [['token'], 15, 1],
    [['token', 0], 15, 1],
    [['token', 0, 'name'], 16, 1],
    [['token', 0, 'env', 'SOFTHSM2_CONF'], 17, 9],
    [['token', 0, 'env', 'more', 'deep'], 17, 31],
    [['token', 1], 19, 1],
    [['token', 1, 'name'], 20, 3],
    [['token', 1, 'when'], 24, 3],
    [['token', 1, 'sub'], 26, 3],
    [['token', 1, 'sub', 'é'], 27, 3],
    [['token', 1, 'part', 0, 'n'], 30, 1],
    [['token', 1, 'part', 1], 31, 1],
    [['token', 1, 'part', 1, 'n'], 32, 1],
  ])('%j: line %i, column %i', (path, line, column) => {
    expect(document.locate(path)).toEqual({ line, column });
  });

  it('of what is not there are those of the closest parent', () => {
    expect(document.locate(['token', 1, 'pin', 'file'])).toEqual({ line: 19, column: 1 });
    expect(document.locate(['nothing'])).toEqual({ line: 1, column: 1 });
    expect(document.locate([])).toEqual({ line: 1, column: 1 });
  });

  it('are right with CRLF line ends too', () => {
    const crlf = parseToml(TEXT.replaceAll('\n', '\r\n'), 'touchstone.toml');
    expect(crlf.locate(['token', 1, 'when'])).toEqual({ line: 24, column: 3 });
  });
});

describe('text that is not TOML', () => {
  it.each([
    ['a = 1\nb = \n', 2],
    ['a = 1\na = 2\n', 2],
    ['[a]\n[a]\n', 2],
    ['a = "\n"', 1],
  ])('%j is refused at its line', (text, line) => {
    const error = thrownBy(() => parseToml(text, 'policy.toml', 'policy.invalid'));
    expect(error.code).toBe('policy.invalid');
    expect(error.details?.['line']).toBe(line);
    expect(error.message).toContain(`policy.toml, line ${line}`);
  });

  it.each([
    ['[ssh-agent]\n[pkcs11]\n[ssh-agent]\nenabled = true\n', '[ssh-agent]'],
    ['socket = "a"\nsocket = "b"\n', 'socket'],
  ])('%j: what is there twice is named', (text, name) => {
    const error = thrownBy(() => parseToml(text, 'touchstone.toml'));
    expect(error.message).toContain(`: ${name} is in the file already`);
  });

  it('is refused without repeating it', () => {
    const error = thrownBy(() => parseToml('pin = s3cret\n', 'touchstone.toml'));
    expect(error.code).toBe('config.invalid');
    expect(error.message).not.toContain('s3cret');
  });
});
