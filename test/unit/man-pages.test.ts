/** The man pages name everything the program has: commands, exit statuses, variables. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { AREAS } from '../../src/cli/areas.js';
import { ERROR_TABLE } from '../../src/errors/codes.js';
import { PROJECT_ROOT } from '../support/project-root.js';

const FOLDER = path.join(PROJECT_ROOT, 'docs/man');
const pages = new Map(
  readdirSync(FOLDER).map((name) => [name, readFileSync(path.join(FOLDER, name), 'utf8')]),
);
const program = pages.get('touchstone.1') ?? '';

it('name every command', async () => {
  const specs = (await Promise.all(AREAS.map((area) => area.load()))).flat();
  for (const spec of specs)
    expect(program).toMatch(new RegExp(`^\\.(It|Nm) ?Cm .*\\b${spec.path.join(' ')}\\b`, 'm'));
});

it('list every exit status', () => {
  const statuses = new Set([0, ...Object.values(ERROR_TABLE).map(({ exit }) => exit)]);
  for (const status of statuses) expect(program).toContain(`\n.It ${status}\n`);
});

it('have the sections that people look for', () => {
  expect([...pages.keys()].sort()).toEqual(['touchstone-policy.5', 'touchstone.1', 'touchstone.toml.5']);
  for (const page of pages.values()) {
    for (const section of ['NAME', 'DESCRIPTION', 'EXIT STATUS', 'EXAMPLES', 'SEE ALSO']) {
      expect(page).toContain(`\n.Sh ${section}\n`);
    }
  }
});
