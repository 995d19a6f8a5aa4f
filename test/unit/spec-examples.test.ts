import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/document.js';
import { parsePolicy } from '../../src/policy/document.js';
import { warningsOf } from '../../src/policy/warnings.js';
import { parseTeamPolicy } from '../../src/trust/team-policy.js';
import { PROJECT_ROOT } from '../support/project-root.js';

function tomlBlocks(page: string): readonly string[] {
  const text = readFileSync(join(PROJECT_ROOT, 'docs/spec', page), 'utf8');
  return [...text.matchAll(/^```toml\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? '');
}

describe('examples of the specification pages', () => {
  it('policy.md: are valid and free of warnings', () => {
    const blocks = tomlBlocks('policy.md');
    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) expect(warningsOf(parsePolicy(block, 'policy.md'), 0)).toEqual([]);
  });

  it('trust-policy.md: are valid', () => {
    const blocks = tomlBlocks('trust-policy.md');
    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) {
      expect(parseTeamPolicy(block, 'trust-policy.md', () => '').rules.length).toBeGreaterThan(0);
    }
  });

  it('config.md: are valid', () => {
    const blocks = tomlBlocks('config.md');
    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) expect(parseConfig(block, 'config.md').tokens.length).toBeGreaterThan(0);
  });
});
