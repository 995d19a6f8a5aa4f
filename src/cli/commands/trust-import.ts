/** `touchstone trust import REPOSITORY --from FOLDER`. */
import { AgentError } from '../../errors/agent-error.js';
import { readSecretFile } from '../../platform/secret-file.js';
import { importPlan, ImportSigner, rootFiles } from '../../trust/import.js';
import { listKeyFiles, OpenKeyFile, type KeyFile } from '../../trust/key-files.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { publishedResult, withPublisher } from '../trust-publishing.js';
import { openTrust, readCollection } from '../trust-session.js';

const PASSPHRASE_MS = 120_000;
const LINE_FEED = 0x0a;

/** Moves the root to the token and every other key of the folder to leaves, in one publish. */
export async function trustImport(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  const files = listKeyFiles(options.requiredText('from'));
  const { root } = await readCollection(context, await openTrust(context, options, repository));
  const roots = rootFiles(root.document, files);
  if (roots.length < root.document.roles.root.threshold) {
    throw new AgentError('notary.keys', {
      message: `${repository}: the root key is not among the keys of this folder`,
      hint: 'name the trust folder of whoever began the repository; a signer who does not own it is taken in with "touchstone trust signer add"',
    });
  }
  const opened: OpenKeyFile[] = [];
  for (const file of roots) opened.push(await open(options, file));
  const beside = (agent: ConstructorParameters<typeof ImportSigner>[0]): ImportSigner => {
    const signer = new ImportSigner(agent);
    for (const file of opened) signer.add(file);
    return signer;
  };
  return withPublisher(context, options, repository, { beside }, async (session) => {
    const rootKeys = options.list('root-key');
    const plan = importPlan(session, { rootKeys, certificateDays: session.certificateDays, files });
    const published = await session.publisher.publish('import', plan);
    const old = files.map(({ path }) => path);
    const result = publishedResult(context, published, `${repository} is signed through the agent now`, {
      old,
    });
    context.note(
      'touchstone: the old files are not needed for this repository any more; the root key was not put into the token',
    );
    return result;
  });
}

async function open(options: OptionValues, file: KeyFile): Promise<OpenKeyFile> {
  if (!file.isEncrypted) return new OpenKeyFile(file, undefined);
  const passphrase = await readPassphrase(options, file);
  try {
    return new OpenKeyFile(file, passphrase);
  } finally {
    passphrase.fill(0);
  }
}

/** From a private file, a descriptor, or a person at the terminal; never an argument. */
async function readPassphrase(options: OptionValues, { canonicalId }: KeyFile): Promise<Buffer> {
  const path = options.text('passphrase-file');
  const fd = options.integer('passphrase-fd', { min: 0, max: 1_048_575 });
  if (path !== undefined) {
    const read = readSecretFile(path);
    return read.at(-1) === LINE_FEED ? read.subarray(0, -1) : read;
  }
  if (fd !== undefined) {
    const { readPinDescriptor } = await import('../pin-file.js');
    return readPinDescriptor(fd);
  }
  const { readPinFromTerminal } = await import('../pin-terminal.js');
  const prompt = `Passphrase of the root key ${canonicalId.slice(0, 7)}: `;
  return readPinFromTerminal(prompt, PASSPHRASE_MS, 'passphrase');
}
