/** What a first policy asks of tokens, as `ceremony new` says it; later ones carry the rules of the ceremony before. */
import type { CeremonyPolicy } from '../ceremony/policy.js';
import { encodePem } from '../encoding/pem.js';
import { AgentError } from '../errors/agent-error.js';
import { parseRoots } from '../formats/attestation-chain.js';
import { readTextFile } from './input-file.js';
import type { OptionValues } from './option-values.js';

type TokenRules = CeremonyPolicy['tokens'];

/** As many as a policy takes. */
const MAX_MAKERS = 16;

/** Only what was asked for. @throws AgentError `usage.invalid`, `usage.file` */
export function tokenRules(options: OptionValues): Partial<TokenRules> {
  const anchors = options.list('maker').flatMap(certificatesIn);
  const minimumFirmware = firmwareOption(options);
  const touch = options.choice('touch', ['cached', 'always']);
  if (anchors.length > MAX_MAKERS)
    throw new AgentError('usage.invalid', {
      message: `option --maker: ${anchors.length} certificates, and a policy takes ${MAX_MAKERS}`,
    });
  return {
    ...(anchors.length === 0 ? {} : { attestation: 'required', anchors }),
    ...(minimumFirmware === undefined ? {} : { minimumFirmware }),
    ...(touch === undefined ? {} : { touch }),
  };
}

/** The oldest firmware that is good, from --min-firmware. @throws AgentError `usage.invalid` */
export function firmwareOption(options: OptionValues): string | undefined {
  const version = options.text('min-firmware');
  if (version === undefined || /^\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(version)) return version;
  throw new AgentError('usage.invalid', { message: 'option --min-firmware: a version such as 5.7.0' });
}

/** In the form that every ceremony has them in. */
function certificatesIn(file: string): readonly string[] {
  const found = parseRoots(readTextFile(file), `option --maker: ${file}`, 'usage.invalid');
  return found.map(({ raw }) => encodePem('CERTIFICATE', raw));
}
