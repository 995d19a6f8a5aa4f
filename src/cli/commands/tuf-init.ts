/** `touchstone tuf init FOLDER REPOSITORY`. */
import { resolve } from 'node:path';
import { AgentError } from '../../errors/agent-error.js';
import { TOP_ROLES, type TopRole } from '../../formats/tuf/document.js';
import { readTufRoot } from '../../formats/tuf/reader.js';
import { walkRoots } from '../../formats/tuf/root-chain.js';
import { parseKeyName } from '../../keys/key-name.js';
import { TufAgentSigner } from '../../trust/tuf/agent-signer.js';
import { TufFolder, versionedFile } from '../../trust/tuf/folder.js';
import { TufPins } from '../../trust/tuf/pins.js';
import { firstRoot, type WantedRole, type WantedRoles } from '../../trust/tuf/root-document.js';
import { DEFAULT_DAYS } from '../../trust/tuf/settings.js';
import type { TufSigner } from '../../trust/tuf/signer.js';
import { requestTimeoutMs, withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readInput } from '../input-file.js';
import { OptionValues } from '../option-values.js';
import { defaultKeys, namedKeys } from '../tuf-keys.js';
import { assignments, daysOption, thresholdsOption, tufResult, withTufAt } from '../tuf-session.js';
import { trustFolder } from '../trust-session.js';

/** Makes the folder and publishes first versions of everything, or stages a root that others have to sign as well. */
export async function tufInit(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const [path = '', written = ''] = args;
  const { repository } = parseKeyName(`${written}#targets`);
  const folder = new TufFolder(resolve(path));
  if (folder.isThere) {
    throw new AgentError('tuf.exists', {
      message: `beginning a repository in ${folder.path}: there is one already`,
    });
  }
  const given = await Promise.all(options.list('root').map(readInput));
  const first = given[0];
  if (first !== undefined) requireChain(given);
  requireOneWay(options, given);
  const settings = { repository, days: { ...DEFAULT_DAYS, ...daysOption(options) } };
  return withAgent(context, async (client) => {
    const signer = new TufAgentSigner(client, requestTimeoutMs(context));
    // Keys first: without an agent, or a root key, nothing is made.
    const root = first === undefined ? firstRoot(await wantedRoles(signer, repository, options)) : undefined;
    folder.create();
    folder.writeSettings(settings);
    if (first !== undefined) {
      const pins = new TufPins(await trustFolder(context, options));
      // The newest comes last: a folder with a hole in its chain cannot be read.
      given.forEach((bytes, at) => {
        folder.write(versionedFile('root', at + 1), bytes);
      });
      pins.save(repository, first);
    }
    return withTufAt(context, client, withoutRoot(options), folder.path, async (session) => {
      const report = await session.publisher.publish({ root });
      context.note(
        `touchstone: a web server may serve ${folder.path}; see what is due with "touchstone tuf watch"`,
      );
      return tufResult(context, session, report, { folder: folder.path });
    });
  });
}

/** A ceremony has decided about keys already. */
function requireOneWay(options: OptionValues, given: readonly Buffer[]): void {
  const isDecided = options.list('key').length > 0 || options.list('threshold').length > 0;
  if (given.length === 0 || !isDecided) return;
  throw new AgentError('usage.invalid', {
    message:
      'option --root: the root says which keys and thresholds there are, so --key and --threshold do not go with it',
  });
}

function requireChain(files: readonly Buffer[]): void {
  const roots = files.map((bytes) => readTufRoot(bytes));
  const [first, ...next] = roots;
  if (first?.signed.version !== 1) {
    throw new AgentError('tuf.version', { message: 'option --root: the first root has to be version 1' });
  }
  walkRoots(first, next, new Date());
}

async function wantedRoles(
  signer: TufSigner,
  repository: string,
  options: OptionValues,
): Promise<WantedRoles> {
  const held = await signer.keysOf(repository);
  const named = assignments(options, 'key');
  const thresholds = thresholdsOption(options);
  const wanted = new Map<TopRole, WantedRole>();
  for (const role of TOP_ROLES) {
    const purpose = { repository, role };
    const texts = named.filter(([one]) => one === role).map(([, text]) => text);
    const keys =
      texts.length === 0 ? await defaultKeys(signer, held, purpose) : await namedKeys(signer, texts, purpose);
    wanted.set(role, { keys, threshold: thresholds.get(role) ?? 1 });
  }
  return Object.fromEntries(wanted) as WantedRoles;
}

/** Here --root is a list, and done with. */
function withoutRoot(options: OptionValues): OptionValues {
  const trustDir = options.text('trust-dir');
  return new OptionValues(trustDir === undefined ? {} : { trustDir });
}
