/** The file of roots that vouch for cards. */
import { chmodSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readAttestationRoots } from '../../src/keeper/attestation-roots.js';
import { TempFolder } from '../support/temp-folder.js';
import { attestationAuthority } from '../support/virtual-yubikey/attestation-authority.js';

describe('attestation-roots', () => {
  it('is read anew each time, and has to be there', () => {
    using folder = new TempFolder();
    const file = folder.join('roots.pem');
    expect(() => readAttestationRoots(file)).toThrow('there is no such file');
    writeFileSync(file, attestationAuthority().pem, { mode: 0o644 });
    expect(readAttestationRoots(file)).toHaveLength(1);
    writeFileSync(file, 'nothing\n');
    expect(() => readAttestationRoots(file)).toThrow(expect.objectContaining({ code: 'config.invalid' }));
  });

  it.each([0o664, 0o646])('is not believed with mode %o, in which others can write it', (mode) => {
    using folder = new TempFolder();
    const file = folder.join('roots.pem');
    writeFileSync(file, attestationAuthority().pem);
    chmodSync(file, mode);
    expect(() => readAttestationRoots(file)).toThrow('can be changed by others');
  });
});
