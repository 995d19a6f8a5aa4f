/** `touchstone key certificate add`. */
import type { Result } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readInput } from '../input-file.js';

/** Hands each envelope to the agent, which verifies it; the first that it refuses ends the command. */
export async function keyCertificateAdd(context: CliContext, { args }: Invocation): Promise<CommandResult> {
  const envelopes: Buffer[] = [];
  for (const file of args) envelopes.push(await readInput(file));
  const results = await withAgent(context, async (client) => {
    const taken: Result<'certificates.add'>[] = [];
    for (const envelope of envelopes)
      taken.push(await client.call('certificates.add', { envelope: envelope.toString('base64') }));
    return taken;
  });
  return { json: { certificates: results }, text: results.map(line).join('\n') };
}

function line({ certificate, added }: Result<'certificates.add'>): string {
  const { action, repository, role, epoch, notAfter } = certificate;
  const name = `${repository}#${role}@${epoch}`;
  if (!added) return `${name}: known already`;
  return action === 'certify'
    ? `${name}: certified until ${notAfter}`
    : `${name}: its certificates are taken back`;
}
