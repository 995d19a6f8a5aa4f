/** `touchstone ceremony new`: prepares a ceremony. The only step that is not done in the room. */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import type { CeremonyAction } from '../../ceremony/action.js';
import { documentsFor } from '../../ceremony/carried.js';
import { ENTRY_CHECKS, WAIVABLE } from '../../ceremony/checks/all.js';
import type { CheckResult } from '../../ceremony/checks/check.js';
import { defaultPolicy } from '../../ceremony/default-policy.js';
import { readEnrolment, type Enrolment } from '../../ceremony/enrolment.js';
import type { CeremonyFacts } from '../../ceremony/facts.js';
import { CeremonyFolder } from '../../ceremony/folder.js';
import { loadFolder } from '../../ceremony/loading.js';
import { repositoryOf } from '../../ceremony/payload.js';
import { readPolicy, type CeremonyPolicy } from '../../ceremony/policy.js';
import { prepareCeremony } from '../../ceremony/preparing.js';
import { pgpWords } from '../../ceremony/words.js';
import { AgentError } from '../../errors/agent-error.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import { actionFrom } from '../ceremony-order.js';
import { diffText, hashText } from '../ceremony-text.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readInput } from '../input-file.js';
import type { OptionValues } from '../option-values.js';
import { tokenRules } from '../token-rules.js';

/** @throws AgentError `usage.invalid`, `ceremony.action`, `ceremony.folder` */
export async function ceremonyNew(
  _context: CliContext,
  { args, options }: Invocation,
): Promise<CommandResult> {
  const policy = await policyFrom(options);
  const enrolments = await enrolmentsFrom(options);
  const [created, expires] = [wholeSeconds(new Date()), expiryFrom(options)];
  const dates = { notBefore: created, notAfter: expires };
  const action = actionFrom(args[0] ?? '', options, policy, enrolments, dates);
  const id = idFrom(options, enrolments, action.type);
  const files = await readAll(options.list('base'));
  const previous = options.text('previous');
  const carried = previous === undefined ? null : await readInput(previous);
  const documents = documentsFor(action, files, repositoriesFrom(options, action));
  const holders = [...policy.holders.map(({ name }) => name), ...enrolments.map(({ holder }) => holder)];
  const signers = options.list('signer');
  const folder = CeremonyFolder.create(resolve(options.requiredText('out')));
  const { request, manifest } = prepareCeremony(folder, {
    id,
    rehearsal: false,
    action,
    reason: options.requiredText('reason'),
    created,
    expires,
    policy,
    enrolments,
    previous: carried,
    signers: signers.length > 0 ? signers : [...new Set(holders)],
    documents,
  });
  const { facts } = loadFolder(folder);
  const failing = facts === undefined ? [] : failingOn(facts, created.slice(0, 10));
  const text = [
    ...(facts === undefined ? [] : [diffText(facts)]),
    ...failing.map((result) => failingText(result)),
    hashText('request', request.sha256),
    hashText('MANIFEST', manifest),
    `Have both hashes reviewed, then carry ${folder.path} in; there "touchstone ceremony open" is next.`,
  ].join('\n\n');
  const json = { folder: folder.path, id, action: action.type, request: request.sha256, manifest, failing };
  return {
    json: { ...json, requestWords: pgpWords(request.sha256), manifestWords: pgpWords(manifest) },
    text,
  };
}

/** What the room would stumble over, found while there is time to put it right. @param today `YYYY-MM-DD` */
function failingOn(facts: CeremonyFacts, today: string): readonly CheckResult[] {
  return ENTRY_CHECKS.flatMap((check) => check({ ...facts, today })).filter(({ passed }) => !passed);
}

function failingText({ check, subject, says }: CheckResult): string {
  const where = subject === '' ? '' : ` (${subject})`;
  const waived = WAIVABLE.has(check) ? ` Unless somebody answers for it: open --waive ${check}=NAME.` : '';
  return `It will not open as it is: ${check}${where}: ${says}.${waived}`;
}

/** Repositories that get their first root: those that are named, else those that keys were collected for. */
function repositoriesFrom(options: OptionValues, action: CeremonyAction): readonly string[] {
  const named = options.list('repository');
  const orders = action.type === 'init' ? action.online : [];
  const collected = orders.flatMap(({ document }) => (document === null ? [] : repositoryOf(document)));
  const repositories = named.length > 0 ? named : collected;
  for (const name of repositories) requireFullName(name);
  return repositories;
}

/** Certificates are made out to the name as it is typed here, and clients ask for the whole one. */
function requireFullName(name: string): void {
  const { repository } = parseTrustReference(name);
  if (repository === name) return;
  throw new AgentError('usage.invalid', {
    message: `option --repository: ${name} is called ${repository} in full`,
    hint: `write --repository ${repository}, here and when enrolling`,
  });
}

async function policyFrom(options: OptionValues): Promise<CeremonyPolicy> {
  const file = options.text('policy');
  const rules = tokenRules(options);
  if (file === undefined) return defaultPolicy(options.text('name') ?? 'a root of our own', rules);
  if (Object.keys(rules).length === 0) return readPolicy(await readInput(file)).value;
  throw new AgentError('usage.invalid', {
    message:
      'what is asked of tokens stands in the policy: --maker, --min-firmware and --touch are for a first one',
  });
}

async function enrolmentsFrom(options: OptionValues): Promise<readonly Enrolment[]> {
  const files = options.list('enrolment');
  const read = await readAll(files);
  const enrolments = read.map((bytes, at) => readEnrolment(bytes, files[at] ?? 'enrolment').value);
  if (new Set(enrolments.map(({ holder }) => holder)).size === enrolments.length) return enrolments;
  throw new AgentError('usage.invalid', {
    message: 'option --enrolment: one for each holder in one ceremony',
  });
}

/** Enrolments are made for one ceremony, so that it has the name they give. */
function idFrom(options: OptionValues, enrolments: readonly Enrolment[], action: string): string {
  const named = options.text('id');
  const ids = new Set([
    ...(named === undefined ? [] : [named]),
    ...enrolments.map(({ ceremony }) => ceremony),
  ]);
  const [only, ...more] = ids;
  if (more.length > 0)
    throw new AgentError('usage.invalid', {
      message: `the enrolments are for other ceremonies: ${[...ids].join(', ')}`,
    });
  return only ?? `${action}-${new Date().toISOString().slice(0, 10)}-${randomBytes(3).toString('hex')}`;
}

function expiryFrom(options: OptionValues): string {
  const text = options.requiredText('expires');
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(time) && !Number.isNaN(Date.parse(time))) return time;
  throw new AgentError('usage.invalid', { message: 'option --expires: a date such as 2027-06-01' });
}

function wholeSeconds(time: Date): string {
  return time.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

async function readAll(files: readonly string[]): Promise<readonly Buffer[]> {
  const read: Buffer[] = [];
  for (const file of files) read.push(await readInput(file));
  return read;
}
