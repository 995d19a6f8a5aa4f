/** An empty SoftHSM store of its own for one measurement. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Where Linux distributions put the PKCS#11 module. */
const PLACES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/lib/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
] as const;

export interface SoftHsmStore {
  readonly module: string;
  /** Value for SOFTHSM2_CONF. */
  readonly configuration: string;
}

/** Writes configuration and token folder below `folder`. */
export function writeSoftHsmStore(folder: string): SoftHsmStore {
  const module = PLACES.find((place) => existsSync(place));
  if (module === undefined) throw new Error(`SoftHSM: no module in ${PLACES.join(', ')}`);
  const tokens = path.join(folder, 'tokens');
  mkdirSync(tokens, { recursive: true });
  const configuration = path.join(folder, 'softhsm2.conf');
  writeFileSync(
    configuration,
    `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  return { module, configuration };
}
