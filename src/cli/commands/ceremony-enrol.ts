/** `touchstone ceremony enrol`: a key on a holder's token, and the proof that they have it. */
import { join, resolve } from 'node:path';
import { judgeAttestation } from '../../ceremony/attestation.js';
import { enrol } from '../../ceremony/enrolling.js';
import type { Enrolment } from '../../ceremony/enrolment.js';
import { enrolmentFile } from '../../ceremony/file-names.js';
import { repositoryOfPolicy } from '../../ceremony/holder.js';
import { closeNetwork } from '../../ceremony/network-guard.js';
import { KEY_ALGORITHMS } from '../../crypto/algorithms.js';
import { AgentError } from '../../errors/agent-error.js';
import { withAgent } from '../agent-session.js';
import { hashText } from '../ceremony-text.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { writeOutput } from '../output-file.js';
import { pinSource } from '../pin.js';
import { placesOf } from '../places.js';
import { publicKeyFile } from '../public-key-file.js';
import { renderFields } from '../table.js';
import { enterPin } from './unlock.js';

/** Ten years: roots are renewed by rotation long before. */
const CERTIFICATE_DAYS = 3_650;

/** Writes `enrol-NAME.json`. @throws AgentError `token.…`, `usage.invalid` */
export async function ceremonyEnrol(
  context: CliContext,
  { args, options }: Invocation,
): Promise<CommandResult> {
  const holder = args[0] ?? '';
  requireName(holder);
  const ceremony = options.requiredText('ceremony');
  const file = options.text('public-key');
  const publicKey = file === undefined ? undefined : await publicKeyFile(file);
  const { socket, stateDir } = await placesOf(context);
  closeNetwork(socket);
  const source = pinSource(context, options);
  const { value, bytes, sha256 } = await withAgent(context, (client) =>
    enterPin(
      context,
      () => source.interactive,
      () =>
        enrol(
          {
            client,
            readPin: source.read,
            useLastTry: options.text('use-last-try'),
            trustDir: join(stateDir, 'trust'),
          },
          {
            ceremony,
            holder,
            token: options.requiredText('token'),
            repository: repositoryOfPolicy(ceremony),
            algorithm: options.choice('algorithm', KEY_ALGORITHMS) ?? 'ecdsa-p256',
            publicKey,
            confirmedSerial: options.text('confirm'),
            notaryRepositories: options.list('repository'),
            certificateDays: CERTIFICATE_DAYS,
            bag: options.text('bag') ?? '',
          },
        ),
    ),
  );
  const output = outputOf(options, holder);
  writeOutput(context, output, bytes);
  const text = [
    renderFields([
      ['holder', value.holder],
      ['token', `${value.token.model} ${value.token.serial}`],
      ['key', value.keyId],
      ['attestation', attestationWords(value)],
      ['file', output],
    ]),
    hashText('enrolment', sha256),
  ].join('\n\n');
  return { json: { file: output, sha256, enrolment: value }, text };
}

/** Who made the token is judged in the room, by the policy of the ceremony; what its certificates say is known already. */
function attestationWords(enrolment: Enrolment): string {
  const { attestation, token, pinPolicy, touchPolicy } = enrolment;
  const verdict = judgeAttestation(enrolment, []);
  if (verdict.state === 'wrong' || attestation.length === 0) return verdict.says;
  const facts = [`slot ${token.slot}`, `PIN ${pinPolicy}`, `touch ${touchPolicy}`];
  return `${facts.join(', ')}, firmware ${token.firmware ?? 'not known'}; "ceremony open" checks who made the token`;
}

function outputOf(options: OptionValues, holder: string): string {
  return resolve(options.text('output') ?? enrolmentFile(holder));
}

function requireName(holder: string): void {
  if (/^[a-z][a-z0-9-]{0,31}$/.test(holder)) return;
  throw new AgentError('usage.invalid', {
    message: 'a name of a holder has small letters, digits and -, and begins with a letter',
  });
}
