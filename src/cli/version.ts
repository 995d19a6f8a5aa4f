import { readFileSync } from 'node:fs';

let cached: string | undefined;

/** Version of the installed package. */
export function packageVersion(): string {
  if (cached === undefined) {
    const file = new URL('../../package.json', import.meta.url);
    cached = (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
  }
  return cached;
}
