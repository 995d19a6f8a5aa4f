import { AgentError } from '../errors/agent-error.js';

/** Short names of predicate types, the same that cosign takes. */
const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  ['slsaprovenance1', 'https://slsa.dev/provenance/v1'],
  ['slsaprovenance02', 'https://slsa.dev/provenance/v0.2'],
  ['spdxjson', 'https://spdx.dev/Document'],
  ['cyclonedx', 'https://cyclonedx.org/bom'],
  ['vuln', 'https://cosign.sigstore.dev/attestation/vuln/v1'],
  ['openvex', 'https://openvex.dev/ns'],
]);

/**
 * The predicate type of --type: a short name or a URI.
 * @throws AgentError usage.invalid
 */
export function predicateTypeOf(text: string): string {
  const known = SHORT_NAMES.get(text);
  if (known !== undefined) return known;
  if (URL.canParse(text) && text.includes('://')) return text;
  throw new AgentError('usage.invalid', {
    message: `option --type: ${text} is neither a URI nor one of ${[...SHORT_NAMES.keys()].join(', ')}`,
  });
}
