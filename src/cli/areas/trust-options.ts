import type { OptionSpec } from '../command.js';

/** How a trust server is reached and what is believed of it; read by `src/cli/trust-session.ts`. */
export const TRUST_OPTION_SPECS: readonly OptionSpec[] = [
  {
    flags: '--server <url>',
    summary:
      'trust server (default: TOUCHSTONE_TRUST_SERVER, DOCKER_CONTENT_TRUST_SERVER, else the registry)',
  },
  { flags: '--ca <file>', summary: 'PEM file with the authority of the trust server' },
  { flags: '--plain-http', summary: 'talk to the trust server without TLS' },
  {
    flags: '--trust-dir <folder>',
    summary:
      'pins and what was seen before (default: TOUCHSTONE_TRUST_DIR, else the folder trust of the state)',
  },
  { flags: '--no-tofu', summary: 'believe only roots that are pinned' },
];
