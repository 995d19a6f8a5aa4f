/** Where Linux distributions put SoftHSM's PKCS#11 module. */
import { existsSync } from 'node:fs';

const PLACES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/lib/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
] as const;

export function softHsmModule(): string {
  const found = PLACES.find((place) => existsSync(place));
  if (found === undefined) throw new Error(`SoftHSM: no module in ${PLACES.join(', ')}`);
  return found;
}
