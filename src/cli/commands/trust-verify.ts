/** `touchstone trust verify`: may this image run, and as which digest? */
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { AgentError } from '../../errors/agent-error.js';
import { canonicalKeyId } from '../../formats/notary1/key.js';
import type { Collection } from '../../trust/collection.js';
import { judgeImage, type ImageJudgement } from '../../trust/image-judgement.js';
import { PassingMemory, type TrustMemory } from '../../trust/memory.js';
import { parseTrustReference, type TrustReference } from '../../trust/repository-name.js';
import { SavedCopy } from '../../trust/saved-copy.js';
import { readSignerKey } from '../../trust/signer-key-file.js';
import { parseTeamPolicy, type TeamPolicy } from '../../trust/team-policy.js';
import { updateCollection } from '../../trust/update.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readTextFile } from '../input-file.js';
import type { OptionValues } from '../option-values.js';
import { openTrust, readCollection, type TrustSession } from '../trust-session.js';

const RULES_HINT = 'see the rules of the policy: the first one that matches repository and --env decides';
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** @throws AgentError `notary.unsigned`, `notary.team` naming the missing teams */
export async function trustVerify(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const reference = parseTrustReference(args[0] ?? '');
  const policy = readPolicy(options.text('policy'));
  const environment = environmentOf(options);
  const session = await openTrust(context, options, reference.repository);
  const collection = await view(context, options, session);
  const { tag, digest } = reference;
  const judgement = judgeImage(collection, { tag, digest, environment }, policy);
  if (judgement.outcome !== 'allowed') throw refusal(reference, judgement);
  const { signed, reason, decision } = judgement;
  const image = `${reference.repository}@${signed.digest}`;
  const json = {
    allowed: true,
    image,
    repository: reference.repository,
    tag: signed.tag,
    digest: signed.digest,
    size: signed.size,
    environment,
    reason,
    rule: decision?.rule ?? null,
    teams: decision?.teams ?? [],
    approvals: signed.approvals,
  };
  return { json, text: `${image}\n${reason}` };
}

/** Without rules an environment would say nothing, and whatever is signed would pass. */
function environmentOf(options: OptionValues): string {
  const environment = options.text('env');
  if (environment === undefined || options.text('policy') !== undefined) return environment ?? '';
  throw new AgentError('usage.invalid', {
    message: 'option --env: it needs --policy, whose rules are for environments',
    hint: 'name the rules with --policy FILE; without --env and --policy everything passes that is signed',
    details: { field: 'env' },
  });
}

/** From the server, or from a saved copy. */
async function view(context: CliContext, options: OptionValues, session: TrustSession): Promise<Collection> {
  const folder = options.text('from');
  const at = options.text('at');
  if (folder === undefined) {
    if (at !== undefined) throw new AgentError('usage.invalid', { message: 'option --at: it needs --from' });
    return readCollection(context, session);
  }
  const { repository } = session.server;
  const copy = SavedCopy.open(resolve(folder));
  if (copy.repository !== repository) {
    throw new AgentError('usage.invalid', {
      message: `reading ${folder}: it is a copy of ${copy.repository}, not of ${repository}`,
    });
  }
  const nowMs = at === undefined ? Date.now() : parseTime(at);
  const memory = at === undefined ? session.memory : withoutVersions(session.memory, repository);
  const collection = await updateCollection(copy, { pins: session.pins, memory, nowMs });
  for (const warning of collection.warnings) context.warn(`warning: ${warning}`);
  return collection;
}

/** An audit looks back: older versions are what it is for, and nothing of it is to be remembered. */
function withoutVersions(memory: TrustMemory, repository: string): TrustMemory {
  const passing = new PassingMemory();
  const seen = memory.load(repository);
  if (seen !== undefined) passing.save(repository, { ...seen, roles: new Map() });
  return passing;
}

function parseTime(text: string): number {
  const time = RFC_3339.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new AgentError('usage.invalid', {
    message: 'option --at: a time such as 2027-01-31T12:00:00Z is needed',
    details: { field: 'at' },
  });
}

function readPolicy(file: string | undefined): TeamPolicy | undefined {
  if (file === undefined) return undefined;
  const folder = dirname(resolve(file));
  return parseTeamPolicy(readTextFile(file), file, (named) => {
    const path = isAbsolute(named) ? named : join(folder, named);
    return canonicalKeyId(readSignerKey(readTextFile(path), path));
  });
}

function refusal(
  { repository, tag, digest }: TrustReference,
  judgement: Exclude<ImageJudgement, { outcome: 'allowed' }>,
): AgentError {
  const named = `${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  const message = `verifying ${named}: ${judgement.reason}`;
  if (judgement.outcome === 'unsigned') return new AgentError('notary.unsigned', { message });
  const { signed, decision } = judgement;
  const missing = decision?.missing ?? [];
  return new AgentError('notary.team', {
    message,
    ...(missing.length === 0 ? { hint: RULES_HINT } : {}),
    details: {
      digest: signed.digest,
      rule: decision?.rule ?? null,
      missing,
      unknownKeys: decision?.unknownKeys ?? [],
    },
  });
}
