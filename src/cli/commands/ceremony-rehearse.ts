/** `touchstone ceremony rehearse`: the whole ceremony once through, on tokens that are thrown away. */

import { resolve } from 'node:path';
import type { OpenDocument } from '../../ceremony/document.js';
import { enrol } from '../../ceremony/enrolling.js';
import type { Enrolment } from '../../ceremony/enrolment.js';
import type { CeremonyFacts } from '../../ceremony/facts.js';
import { CeremonyFolder } from '../../ceremony/folder.js';
import { repositoryOfPolicy } from '../../ceremony/holder.js';
import type { HeldKey } from '../../ceremony/holder-book.js';
import { loadFolder } from '../../ceremony/loading.js';
import { prepareCeremony } from '../../ceremony/preparing.js';
import { signRehearsalBase } from '../../ceremony/rehearsal-base.js';
import {
  keysToRehearse,
  rehearsalPreparation,
  rehearsalRoot,
  rehearsedRepositories,
  type RehearsalFiles,
} from '../../ceremony/rehearsal.js';
import { AgentError } from '../../errors/agent-error.js';
import { withAgent } from '../agent-session.js';
import { confirmationOf } from '../ceremony-text.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { RehearsalRoom } from '../rehearsal-room.js';

/** Whoever answers for checks that tokens of a rehearsal cannot pass. */
const WAIVED = ['BASE-LATEST', 'KEY-ATTESTED', 'KEY-FIRMWARE'].map((check) => `--waive=${check}=rehearsal`);

/** Of a rehearsal: nobody reads the certificates afterwards. */
const CERTIFICATE_DAYS = 400;

/** A key of the ceremony, and the token that stands for its own. */
interface Part {
  readonly held: HeldKey;
  readonly token: string;
}

/** Rehearses; what is signed can verify nowhere. @throws AgentError `ceremony.…`, `integrate.program` */
export async function ceremonyRehearse(
  context: CliContext,
  { args, options }: Invocation,
): Promise<CommandResult> {
  const facts = factsOf(resolve(args[0] ?? '.'));
  const output = CeremonyFolder.create(resolve(options.requiredText('out')));
  const parts = partsOf(keysToRehearse(facts));
  context.note(
    `touchstone: rehearsing with ${parts.length} tokens of SoftHSM: ${parts.map(({ token }) => token).join(', ')}`,
  );
  await using room = await RehearsalRoom.open(
    context,
    parts.map(({ token }) => token),
  );
  await prepare(room, facts, parts, output);
  // A rehearsal goes by no transcript, so nothing has to be said of its seals.
  const waived = options.list('waive').filter((one) => !one.startsWith('PREVIOUS-SEALED='));
  const steps = await play(context, room, output.path, waived);
  return {
    json: { folder: output.path, tokens: parts.map(({ token }) => token), steps },
    text: `It works: every step went through, and nothing of it verifies in earnest.\nwritten: ${output.path}`,
  };
}

function factsOf(path: string): CeremonyFacts {
  const { facts, results } = loadFolder(CeremonyFolder.open(path));
  const failed = results.find(({ passed }) => !passed);
  if (facts !== undefined && failed === undefined) return facts;
  throw new AgentError('ceremony.check', {
    message: `rehearsing: ${failed?.check ?? 'REQUEST-HASH'}: ${failed?.says ?? 'the files cannot be read'}`,
  });
}

/** `alice`, and `alice-2` for the second token of one person. */
function partsOf(keys: readonly HeldKey[]): readonly Part[] {
  const seen = new Map<string, number>();
  return keys.map((held) => {
    const count = (seen.get(held.holder) ?? 0) + 1;
    seen.set(held.holder, count);
    return { held, token: count === 1 ? held.holder : `${held.holder}-${count}` };
  });
}

async function prepare(
  room: RehearsalRoom,
  facts: CeremonyFacts,
  parts: readonly Part[],
  output: CeremonyFolder,
): Promise<void> {
  const ceremony = facts.request.value.id;
  const repository = repositoryOfPolicy(ceremony);
  const { readPin, trustDir } = room;
  const notaryRepositories = rehearsedRepositories(facts);
  await withAgent(room.context, async (client) => {
    const understudies = new Map<string, Enrolment>();
    const tokens = new Map<string, string>();
    for (const { held, token } of parts) {
      const order = { ceremony, holder: held.holder, token, repository, notaryRepositories } as const;
      const { value } = await enrol(
        { client, readPin, trustDir },
        { ...order, algorithm: 'ecdsa-p256', certificateDays: CERTIFICATE_DAYS, bag: 'rehearsal' },
      );
      understudies.set(held.keyId, value);
      tokens.set(value.keyId, token);
    }
    const signer = { client, readPin, repository, tokens };
    const files = await signedRoots(facts, (id, root) =>
      signRehearsalBase(signer, ceremony, rehearsalRoot(id, root, understudies)),
    );
    prepareCeremony(output, rehearsalPreparation(facts, understudies, files));
  });
}

/** The newest roots that documents begin with, and those that they go by, each signed once. */
async function signedRoots(
  { documents }: CeremonyFacts,
  sign: (id: string, root: OpenDocument) => Promise<Buffer>,
): Promise<RehearsalFiles> {
  const files = new Map<string, { readonly base: readonly Buffer[]; readonly authority: Buffer | null }>();
  const authorities = new Map<string, Buffer>();
  for (const { order, base, authority } of documents) {
    const newest = base.at(-1);
    if (authority !== undefined && !authorities.has(authority.sha256))
      authorities.set(authority.sha256, await sign('root', authority.document));
    files.set(order.id, {
      base: newest === undefined ? [] : [await sign(order.id, newest.document)],
      authority: authorities.get(authority?.sha256 ?? '') ?? null,
    });
  }
  return files;
}

/** The steps as people run them, each by its own command. */
async function play(
  context: CliContext,
  room: RehearsalRoom,
  folder: string,
  waived: readonly string[],
): Promise<readonly string[]> {
  const today = new Date().toISOString().slice(0, 10);
  const pin = ['--pin-file', room.pinFile];
  const { facts } = loadFolder(CeremonyFolder.open(folder));
  const confirmation = facts === undefined ? '' : confirmationOf(facts);
  const steps: readonly (readonly string[])[] = [
    ['open', folder, '--today', today, ...WAIVED, ...waived.map((one) => `--waive=${one}`)],
    ['review', folder, '--confirm', confirmation],
    ['sign', folder, ...pin],
    ['close', folder],
    ['seal', folder, ...pin],
    ['verify', folder],
  ];
  for (const [step = '', ...argv] of steps) {
    context.note(`touchstone: ceremony ${step}`);
    await room.run('ceremony', step, ...argv);
  }
  return steps.map(([step = '']) => step);
}
