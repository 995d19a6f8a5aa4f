/** docs/architecture.md, enforced: floors, walls, homes of third-party packages, folders without I/O. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFloorTable } from '../support/floor-table.js';
import { checkImports } from '../support/import-rules.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { readSourceTree } from '../support/source-tree.js';

const architecture = readFileSync(path.join(PROJECT_ROOT, 'docs/architecture.md'), 'utf8');
const floors = readFloorTable(architecture);

describe('the house of this project', () => {
  const files = readSourceTree(path.join(PROJECT_ROOT, 'src'));

  it('has only imports that the floor table allows', () => {
    expect(files.length).toBeGreaterThan(10);
    expect(checkImports(files, floors)).toEqual([]);
  });

  it('orders signatures in one module for clients, and in two for the agent itself', () => {
    const orderers = files.filter(
      ({ file, text }) => file.startsWith('agent/') && text.includes('keeper.order('),
    );
    expect(orderers.map(({ file }) => file)).toEqual(['agent/own-order.ts', 'agent/sign.ts']);
    const walls = architecture.slice(architecture.indexOf('Walls:'));
    for (const { file } of orderers) expect(walls).toContain(`\`${file.replace('.ts', '')}\``);
  });

  it('describes the walls that the checker builds', () => {
    const walls = architecture.slice(architecture.indexOf('Walls:')).replaceAll(/\s+/g, ' ');
    expect(walls).toContain(
      'client, registry, trust, images, ceremony, gateways and cli never import agent, keeper, tokenhost, token or state.',
    );
    expect(walls).toContain('agent imports from keeper only `keeper/wire`.');
    expect(walls).toContain('Only tokenhost imports token.');
    expect(walls).toContain('policy, audit, formats, keys and crypto do no I/O.');
  });
});

describe('the checker', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'touchstone-house-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function verdict(file: string, text: string): readonly string[] {
    const target = path.join(folder, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text);
    return checkImports(readSourceTree(folder), floors);
  }

  it.each<[string, string, string, string]>([
    ['an import upwards', 'encoding/a.ts', "import { x } from '../platform/b.js';", 'is not below'],
    ['an import sideways', 'keys/a.ts', "import { x } from '../formats/b.js';", 'is not below'],
    ['a type-only import upwards', 'crypto/a.ts', "import type { X } from '../keys/b.js';", 'is not below'],
    [
      'a dynamic import upwards',
      'errors/a.ts',
      "const x = await import('../encoding/b.js');",
      'is not below',
    ],
    ['a re-export upwards', 'errors/a.ts', "export * from '../encoding/b.js';", 'is not below'],
    ['an import type expression', 'errors/a.ts', "type X = import('../encoding/b.js').X;", 'is not below'],
    ['a package away from home', 'agent/a.ts', "import { z } from 'zod';", 'zod has no home in agent'],
    [
      'a scoped package away from home',
      'keys/a.ts',
      "import { p256 } from '@noble/curves/nist.js';",
      '@noble/curves has no home',
    ],
    [
      'the native shim away from home',
      'keeper/a.ts',
      "require('../../native-shims/build/x.node');",
      'native-shims has no home',
    ],
    ['a builtin without node:', 'platform/a.ts', "import fs from 'fs';", 'fs has no home'],
    ['I/O in a pure folder', 'policy/a.ts', "import { readFileSync } from 'node:fs';", 'policy does no I/O'],
    [
      'I/O through a subpath',
      'formats/dsse/a.ts',
      "import { readFile } from 'node:fs/promises';",
      'formats does no I/O',
    ],
    [
      'the CLI reaching state',
      'cli/commands/a.ts',
      "import { x } from '../../state/keyring-file.js';",
      'a wall keeps cli from state',
    ],
    [
      'the client reaching a token host',
      'client/a.ts',
      "import { x } from '../tokenhost/messages.js';",
      'a wall keeps client from tokenhost',
    ],
    [
      'the agent reaching into the keeper',
      'agent/a.ts',
      "import { x } from '../keeper/leaves.js';",
      'only keeper/wire.js is open',
    ],
    [
      'the keeper loading a driver',
      'keeper/a.ts',
      "import { x } from '../token/pkcs11/module.js';",
      'only tokenhost imports token',
    ],
    ['a folder without a floor', 'helpers/a.ts', '', 'has no floor'],
  ])('finds %s', (_name, file, text, reason) => {
    expect(verdict(file, text).join('\n')).toContain(reason);
  });

  it.each<[string, string, string]>([
    ['an import downwards', 'keys/a.ts', "import { x } from '../errors/b.js';"],
    ['its own folder', 'formats/a.ts', "import { x } from './dsse/b.js';"],
    ['a package at home', 'crypto/a.ts', "import { p256 } from '@noble/curves/nist.js';"],
    ['node:crypto in a pure folder', 'policy/a.ts', "import { createHash } from 'node:crypto';"],
    ['the open gate', 'agent/a.ts', "import type { X } from '../keeper/wire.js';"],
    ['words that only look like an import', 'errors/a.ts', "// import { x } from '../bin/b.js';"],
  ])('allows %s', (_name, file, text) => {
    expect(verdict(file, text)).toEqual([]);
  });

  it('refuses a document without a table', () => {
    expect(() => readFloorTable('# Architecture\n')).toThrow('no row');
  });
});
