/** The note of an unfinished set-up of a card. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { CardSetupFile } from '../../src/state/card-setup-file.js';
import { TempFolder } from '../support/temp-folder.js';

const KEY_ID = 'ab'.repeat(32);

describe('the set-up of a card', () => {
  it('is remembered by serial number and slot, over restarts', () => {
    using folder = new TempFolder();
    const file = path.join(folder.path, 'card-setup.json');
    const notes = new CardSetupFile(file);
    expect(notes.made('7')).toEqual({});
    notes.note('7', '9c', 'begun');
    notes.note('8', '9c', 'begun');
    expect(notes.made('7')).toEqual({ '9c': 'begun' });
    notes.note('7', '9c', { keyId: KEY_ID });
    notes.note('7', '82', 'begun');
    const again = new CardSetupFile(file);
    expect([again.made('7'), again.made('8')]).toEqual([{ '9c': KEY_ID, '82': 'begun' }, { '9c': 'begun' }]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('is not guessed from a damaged file', () => {
    using folder = new TempFolder();
    const file = path.join(folder.path, 'card-setup.json');
    const notes = new CardSetupFile(file);
    notes.note('7', '9c', 'begun');
    writeFileSync(file, readFileSync(file, 'utf8').replace('begun', 'begin'));
    expect(() => notes.made('7')).toThrow(expect.objectContaining({ code: 'state.damaged' }));
    expect(() => {
      notes.note('7', '82', 'begun');
    }).toThrow(expect.objectContaining({ code: 'state.damaged' }));
  });
});
