/** Promises of the tree itself: sizes, error codes, links, lock file, and nothing of one machine in the text. */
import { existsSync, readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_TABLE } from '../../src/errors/codes.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { readSourceTree } from '../support/source-tree.js';

const HARD_LIMIT_LINES = 400;
/** Files that are tables of rows. */
const TABLES = new Set(['errors/codes.ts', 'protocol/methods.ts', 'token/pkcs11/rv.ts']);

const sources = readSourceTree(path.join(PROJECT_ROOT, 'src'));

/** Everything a clone holds or would hold, without what git ignores. */
const projectFiles = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: PROJECT_ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(path.join(PROJECT_ROOT, file)));

function read(file: string): string {
  return readFileSync(path.join(PROJECT_ROOT, file), 'utf8');
}

describe('source files', () => {
  it(`have at most ${HARD_LIMIT_LINES} lines`, () => {
    const long = sources.filter(
      (each) => !TABLES.has(each.file) && each.text.split('\n').length - 1 > HARD_LIMIT_LINES,
    );
    expect(long.map((each) => each.file)).toEqual([]);
  });

  it('are named after what they hold', () => {
    const vague = /(^|\/)(utils?|helpers?|common|misc|types)(\.ts|\/)/;
    expect(sources.map((each) => each.file).filter((file) => vague.test(file))).toEqual([]);
  });
});

describe('the error table', () => {
  const rows = Object.entries(ERROR_TABLE);

  it('gives each code its own JSON-RPC number', () => {
    const numbers = rows.map(([, row]) => row.rpc);
    expect(numbers.filter((each, index) => numbers.indexOf(each) !== index)).toEqual([]);
  });

  it('has no code that nothing raises', () => {
    const raised = sources
      .filter((each) => each.file !== 'errors/codes.ts')
      .map((each) => each.text)
      .join('\n');
    expect(rows.map(([code]) => code).filter((code) => !raised.includes(`'${code}'`))).toEqual([]);
  });

  it('speaks in sentences of one style', () => {
    const wrong = rows.filter(
      ([, row]) => /^[A-Z][a-z]/.test(row.sentence) || row.sentence.endsWith('.') || row.hint.endsWith('.'),
    );
    expect(wrong.map(([code]) => code)).toEqual([]);
  });
});

describe('package.json', () => {
  interface Manifest {
    readonly name: string;
    readonly version: string;
    readonly dependencies: Readonly<Record<string, string>>;
    readonly devDependencies: Readonly<Record<string, string>>;
    readonly optionalDependencies: Readonly<Record<string, string>>;
  }
  interface Locked {
    readonly hasInstallScript?: boolean;
    readonly resolved?: string;
    /** Of a package that is installed under another name. */
    readonly name?: string;
  }
  const manifest = JSON.parse(read('package.json')) as Manifest & {
    readonly allowScripts: Readonly<Record<string, boolean>>;
  };
  const lock = JSON.parse(read('package-lock.json')) as {
    readonly version: string;
    readonly packages: Readonly<Record<string, Locked>>;
  };

  it('is the one that package-lock.json was made from', () => {
    const locked = lock.packages[''] as unknown as Manifest;
    expect(locked.dependencies).toEqual(manifest.dependencies);
    expect(locked.devDependencies).toEqual(manifest.devDependencies);
    expect(locked.optionalDependencies).toEqual(manifest.optionalDependencies);
    expect(lock.version).toBe(manifest.version);
  });

  it('decides about every package with an install script', () => {
    const scripted = Object.entries(lock.packages)
      .filter(([, locked]) => locked.hasInstallScript === true)
      .map(
        ([place, { name }]) =>
          name ?? place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length),
      );
    expect(scripted.length).toBeGreaterThan(0);
    expect(scripted.filter((name) => manifest.allowScripts[name] === undefined)).toEqual([]);
    expect(read('.npmrc')).toContain('strict-allow-scripts=true');
  });

  it('names no place packages came from', () => {
    const resolved = Object.values(lock.packages).flatMap((each) => each.resolved ?? []);
    expect(resolved).toEqual([]);
  });
});

describe('the text of the project', () => {
  const readable = projectFiles.filter((file) =>
    /\.(ts|js|c|h|md|json|sh|toml|yml|yaml|[1-8])$|\.gyp$|\.template$/.test(file),
  );

  it('has no work marks and no paths of one machine', () => {
    // Put together from halves, because this file is searched too.
    const marks = [
      ['TO', 'DO'],
      ['FIX', 'ME'],
      ['XX', 'X'],
      ['HA', 'CK'],
      ['/work', '/main'],
      ['/work', '/shared'],
      ['/tmp', '/brief'],
    ];
    const pattern = new RegExp(
      marks
        .map((halves) => halves.join(''))
        .map((mark) => (mark.startsWith('/') ? mark : `\\b${mark}\\b`))
        .join('|'),
    );
    expect(readable.length).toBeGreaterThan(50);
    expect(readable.filter((file) => file !== 'package-lock.json' && pattern.test(read(file)))).toEqual([]);
  });

  it('links only to what exists', () => {
    const broken = readable
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) =>
        [...read(file).matchAll(/\]\(([^)\s]+)\)/g)]
          .map((match) => (match[1] ?? '').split('#')[0] ?? '')
          .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
          .filter((target) => !existsSync(path.join(PROJECT_ROOT, path.dirname(file), target)))
          .map((target) => `${file}: ${target}`),
      );
    expect(broken).toEqual([]);
  });
});

describe('SECURITY.md', () => {
  const rows = read('SECURITY.md')
    .split('\n')
    .filter((line) => /^\| [^|]+ \| \[/.test(line));

  it('names for every claim a test that exists', () => {
    const missing = rows.flatMap((row) =>
      [...row.matchAll(/\[[^\]]+\]\((test\/[^)]+)\)((?:,? "[^"]+")+)/g)].flatMap(
        ([, file = '', titles = '']) =>
          [...titles.matchAll(/"([^"]+)"/g)]
            .map((match) => match[1] ?? '')
            .filter((title) => !existsSync(path.join(PROJECT_ROOT, file)) || !read(file).includes(title))
            .map((title) => `${file}: ${title}`),
      ),
    );
    expect(missing).toEqual([]);
  });

  it('has no claim without a test', () => {
    const claims = read('SECURITY.md')
      .split('\n')
      .filter((line) => line.startsWith('| ') && !line.startsWith('| claim'));
    expect(claims.length).toBeGreaterThan(20);
    expect(claims.filter((line) => !/\]\(test\/[^)]+\) "/.test(line))).toEqual([]);
  });
});
