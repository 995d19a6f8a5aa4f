import type { OptionSpec } from '../command.js';

/** How a registry is reached; read by `src/cli/registry-options.ts`. */
export const REGISTRY_OPTION_SPECS: readonly OptionSpec[] = [
  { flags: '--plain-http', summary: 'talk to the registry without TLS' },
  { flags: '--registry-ca <file>', summary: 'PEM file with the authority of the registry' },
];
