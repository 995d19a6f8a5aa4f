/** The handbook of ceremonies is printed and followed by the letter: every command in it exists, with these options. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { AREAS } from '../../src/cli/areas.js';
import type { CommandSpec } from '../../src/cli/command.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { terminalPicture } from '../support/terminal-picture.js';

const FOLDER = path.join(PROJECT_ROOT, 'docs/ceremony');
/** Every command has them. */
const GLOBAL = new Set(['--help', '--json']);

interface Told {
  readonly page: string;
  readonly line: string;
  /** From a fenced block: to be typed as it stands. */
  readonly isWhole: boolean;
}

const pages = new Map(
  readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => [name, readFileSync(path.join(FOLDER, name), 'utf8')]),
);
const specs = (await Promise.all(AREAS.map((area) => area.load()))).flat();
const commands = [...pages].flatMap(([page, text]) => commandsOf(page, text));

/** Command lines of the fenced blocks, and those in the middle of a sentence. */
function commandsOf(page: string, text: string): readonly Told[] {
  const blocks = [...text.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, body = '']) => body);
  const typed = blocks.flatMap((body) =>
    body
      .replaceAll(/\\\n\s*/g, '')
      .split(/\n|&&/)
      .map((line) => line.trim())
      .filter((line) => line.startsWith('touchstone ')),
  );
  const prose = text.replaceAll(/^```[^]*?^```$/gm, '');
  const told = [...prose.matchAll(/`(touchstone [^`]+)`/g)].map(([, line = '']) => line);
  return [
    ...typed.map((line) => ({ page, line, isWhole: true })),
    ...told.map((line) => ({ page, line, isWhole: false })),
  ];
}

/** The command whose words begin the line; of several the longest. */
function specOf(line: string): CommandSpec | undefined {
  const matching = specs.filter((spec) => `${line} `.startsWith(`touchstone ${spec.path.join(' ')} `));
  return matching.sort((a, b) => b.path.length - a.path.length)[0];
}

function flagsOf(flags: string): readonly string[] {
  return flags.match(/(?<=^|, )--?[a-z-]+/g) ?? [];
}

/** What is wrong with a line, in words; undefined when the program takes it. */
function faultOf({ line, isWhole }: Pick<Told, 'line' | 'isWhole'>): string | undefined {
  const spec = specOf(line);
  if (spec === undefined) return 'no such command';
  const unquoted = line.replaceAll(/"[^"]*"/g, '""');
  const given = new Set(unquoted.match(/(?<=\s)--?[a-z][a-z-]*/g) ?? []);
  const known = new Set([...GLOBAL, ...(spec.options ?? []).flatMap(({ flags }) => flagsOf(flags))]);
  const unknown = [...given].find((flag) => !known.has(flag));
  if (unknown !== undefined) return `no option ${unknown}`;
  if (!isWhole) return undefined;
  const missing = (spec.options ?? []).find(
    ({ required, flags }) => required === true && !flagsOf(flags).some((flag) => given.has(flag)),
  );
  return missing === undefined ? undefined : `it needs ${missing.flags}`;
}

it('has every step of a ceremony in it', () => {
  const ceremony = specs.filter((spec) => spec.path[0] === 'ceremony');
  const used = new Set(commands.map(({ line }) => specOf(line)));
  expect(ceremony.length).toBeGreaterThan(8);
  expect(ceremony.filter((spec) => !used.has(spec)).map((spec) => spec.path.join(' '))).toEqual([]);
});

it('names commands and options that exist, and leaves out none that are needed', () => {
  const faults = commands.flatMap(({ page, ...told }) => {
    const fault = faultOf(told);
    return fault === undefined ? [] : [`${page}: ${told.line}: ${fault}`];
  });
  expect(faults).toEqual([]);
});

it.each([
  ['touchstone ceremony begin root-8', 'no such command'],
  ['touchstone ceremony open root-8 --whitness wendy', 'no option --whitness'],
  ['touchstone ceremony rehearse root-8', 'it needs --out <folder>'],
  ['touchstone ceremony note root-8 "we --all agreed"', undefined],
])('would notice what is wrong with "%s"', (line, fault) => {
  expect(faultOf({ line, isWhole: true })).toBe(fault);
});

it('points at pages and pictures that are there', () => {
  const lost = [...pages].flatMap(([page, text]) =>
    [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
      .map(([, target = '']) => path.join(FOLDER, path.dirname(page), target))
      .filter((target) => !existsSync(target)),
  );
  expect(lost).toEqual([]);
});

it('shows pictures of commands that exist', () => {
  const images = path.join(FOLDER, 'images');
  const lines = readdirSync(images).flatMap((name) => {
    const text = readFileSync(path.join(images, name), 'utf8').replaceAll(/<[^>]*>/g, '');
    return [...text.matchAll(/^\$ (touchstone .*)$/gm)].map(([, line = '']) => line);
  });
  expect(lines).toHaveLength(2);
  expect(lines.map((line) => faultOf({ line, isWhole: true }))).toEqual([undefined, undefined]);
});

it('has pictures in which a terminal can be read', () => {
  const picture = terminalPicture(
    'a < b',
    '$ touchstone paths\r\n\u001b[1G\u001b[0Jone & two  - three four\r\n',
    18,
  );
  const rows = [...picture.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, row]) => row);
  expect(rows).toEqual(['$ touchstone paths', 'one &amp; two  - three', 'four']);
  expect(picture).toContain('<title>a &lt; b</title>');
});
