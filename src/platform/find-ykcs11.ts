/** Where libykcs11, the PKCS#11 driver of YubiKeys, usually is. Keeper and doctor look for the file; only a token host loads it. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { AgentError } from '../errors/agent-error.js';

/** @throws AgentError `token.module-missing` with the places that were looked at */
export function findYkcs11(platform: NodeJS.Platform = process.platform): string {
  const places = usualPlaces(platform);
  const found = places.find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new AgentError('token.module-missing', {
    message: 'looking for libykcs11: it is in none of the usual places',
    hint: 'install it (Debian package ykcs11), or name the file with "module" in the configuration',
    details: { places },
  });
}

function usualPlaces(platform: NodeJS.Platform): readonly string[] {
  if (platform === 'darwin')
    return ['/usr/local', '/opt/homebrew', '/opt/local'].map((root) => `${root}/lib/libykcs11.dylib`);
  if (platform === 'win32') return [String.raw`C:\Program Files\Yubico\Yubico PIV Tool\bin\libykcs11.dll`];
  const folders = [...multiarchFolders(), '/usr/lib64', '/usr/lib', '/usr/local/lib64', '/usr/local/lib'];
  // The plain name belongs to the development package.
  return folders.flatMap((folder) =>
    ['libykcs11.so', 'libykcs11.so.2'].map((name) => path.join(folder, name)),
  );
}

function multiarchFolders(): readonly string[] {
  try {
    return readdirSync('/usr/lib')
      .filter((name) => name.endsWith('-linux-gnu'))
      .sort()
      .map((name) => path.join('/usr/lib', name));
  } catch {
    return [];
  }
}
