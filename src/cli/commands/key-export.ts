/** `touchstone key export`: the public key in the forms verifiers read. */
import { publicKeyJwk, publicKeyPem, sshPublicKeyLine } from '../../crypto/public-key.js';
import { AgentError } from '../../errors/agent-error.js';
import type { KeyInfo } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { STANDARD_STREAM, writeOutput } from '../output-file.js';

const FORMATS = ['pem', 'ssh', 'jwk', 'der'] as const;
type Format = (typeof FORMATS)[number];

/** Prints one public key, or writes it to a file. */
export async function keyExport(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const format = invocation.options.choice('format', FORMATS) ?? 'pem';
  const output = invocation.options.text('output') ?? STANDARD_STREAM;
  const { key } = await withAgent(context, (client) =>
    client.call('keys.show', { key: invocation.args[0] ?? '' }),
  );
  const json = {
    key: key.name,
    keyId: key.keyId,
    algorithm: key.algorithm,
    format,
    publicKey: key.publicKey,
  };
  const exported = render(key, format);
  if (output === STANDARD_STREAM && typeof exported === 'string') return { json, text: exported.trimEnd() };
  writeOutput(context, output, exported);
  return { json: { ...json, output }, text: '' };
}

function render(key: KeyInfo, format: Format): string | Buffer {
  if (key.publicKey === undefined) {
    throw new AgentError('key.usage', { message: `exporting ${key.name}: it has no public key` });
  }
  const spki = Buffer.from(key.publicKey, 'base64');
  switch (format) {
    case 'pem':
      return publicKeyPem(spki);
    case 'ssh':
      return `${sshPublicKeyLine(spki, key.name)}\n`;
    case 'jwk':
      return `${JSON.stringify(publicKeyJwk(spki))}\n`;
    case 'der':
      return spki;
  }
}
