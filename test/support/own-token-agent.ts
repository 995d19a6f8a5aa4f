/** Demo agents over SoftHSM stores that belong to the test, one store per token, so that it can take a token away. */
import { writeFileSync } from 'node:fs';
import { DemoAgent } from './demo-agent.js';
import { PIN, SOFTHSM_MODULE, type SoftHsmStore } from './softhsm-store.js';

export interface OwnToken {
  /** Name in touchstone.toml, and label of the token. */
  readonly name: string;
  readonly store: SoftHsmStore;
  /** Further lines of its table. */
  readonly lines?: readonly string[];
}

function table({ name, store, lines = [] }: OwnToken): string {
  const conf = String(store.environment['SOFTHSM2_CONF']);
  const fields = [
    `name = "${name}"`,
    `module = "${SOFTHSM_MODULE}"`,
    `uri = "pkcs11:token=${name}"`,
    `env = { SOFTHSM2_CONF = "${conf}" }`,
    ...lines,
  ];
  return ['[[token]]', ...fields, ''].join('\n');
}

/** Replaces the tokens of touchstone.toml, and keeps everything before them. */
function withTokens(toml: string, tokens: readonly string[]): string {
  const at = toml.indexOf('[[token]]\n');
  return `${at < 0 ? toml : toml.slice(0, at)}${tokens.join('\n')}`;
}

/** Configured, not started; its PIN file holds the PIN of all these tokens. */
export async function agentOver(...tokens: readonly OwnToken[]): Promise<DemoAgent> {
  const agent = new DemoAgent();
  writeFileSync(agent.pinFile, `${PIN}\n`, { mode: 0o600 });
  const [first] = tokens;
  await agent.must(['init', '--module', SOFTHSM_MODULE, '--token', `pkcs11:token=${first?.name ?? ''}`]);
  agent.configure((toml) => withTokens(toml, tokens.map(table)));
  return agent;
}
