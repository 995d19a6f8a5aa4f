/** `touchstone key show`, and how one key looks everywhere else. */
import type { KeyInfo } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderFields } from '../table.js';

/** One key. */
export async function keyShow(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const key = invocation.args[0] ?? '';
  const result = await withAgent(context, (client) => client.call('keys.show', { key }));
  return { json: result, text: renderKey(result.key) };
}

function certificateText({ certificate }: KeyInfo): string | undefined {
  if (certificate?.notAfter === undefined) return certificate?.state;
  return `${certificate.state}, ${certificate.notBefore ?? ''} to ${certificate.notAfter}`;
}

/** What the card said of itself and of the key when the keyring was made. */
function cardWords(card: KeyInfo['card']): string | undefined {
  if (card === undefined) return undefined;
  const { serial, firmware, pin, touch, attestation, root } = card;
  const policies = pin === undefined || touch === undefined ? [] : [`PIN ${pin}`, `touch ${touch}`];
  const attested = attestation === undefined ? 'not attested' : 'attested';
  const vouched = root === undefined ? attested : `attested, vouched for by ${root}`;
  return [`YubiKey ${serial}`, `firmware ${firmware}`, ...policies, vouched].join(', ');
}

/** All public facts of a key, one a line. */
export function renderKey(key: KeyInfo): string {
  const homes = key.homes.map((home) => `${home.token} (${home.label})`);
  return renderFields([
    ['key', key.name],
    ['usage', key.usage],
    ['algorithm', key.algorithm],
    ['state', key.loaded ? `${key.state}, loaded` : key.state],
    ['id', key.keyId],
    ['backend', key.backend],
    ['may sign', key.kinds.join(', ')],
    ['created', key.createdAt],
    ['retired', key.retiredAt],
    ['revoked', key.revokedAt],
    ['reason', key.revokedReason],
    ['certificate', certificateText(key)],
    ['homes', homes.join(', ')],
    ['card', cardWords(key.card)],
    ['public key', key.publicKey],
  ]);
}
