/** Tables of the command line: what came from outside stays in its cell. */
import { describe, expect, it } from 'vitest';
import { renderTable } from '../../src/cli/table.js';

describe('a table', () => {
  it('shows no character that moves the cursor, turns the line round or starts another one', () => {
    const shown = renderTable(['tag', 'digest'], [['v1\u009b2K\u202e\u007f\nv2 sha256:good', 'sha256:bad']]);
    expect(shown.split('\n')).toHaveLength(2);
    expect(shown).not.toMatch(/[\u007f-\u009f\u202e]/);
    expect(shown).toContain('sha256:bad');
  });

  it('may have more rows than a call has arguments', () => {
    const rows = Array.from({ length: 300_000 }, (_, at) => [`v${at}`]);
    expect(renderTable(['tag'], rows).split('\n')).toHaveLength(300_001);
  });
});
