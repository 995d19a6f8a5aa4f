/** The protocol page is what the tables say; `npx vitest run protocol-page -u` writes it anew. */
import path from 'node:path';
import { expect, it } from 'vitest';
import { ERROR_TABLE } from '../../src/errors/codes.js';
import { METHODS } from '../../src/protocol/methods.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { protocolPage } from '../support/protocol-page.js';

it('is current', async () => {
  await expect(protocolPage()).toMatchFileSnapshot(path.join(PROJECT_ROOT, 'docs/spec/protocol.md'));
});

it('holds every method and every error', () => {
  const page = protocolPage();
  for (const name of Object.keys(METHODS)) expect(page).toContain(`\n### ${name}\n`);
  for (const code of Object.keys(ERROR_TABLE)) expect(page).toContain(`| \`${code}\` |`);
});
