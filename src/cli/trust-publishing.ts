/** What commands need to publish: the agent as signer, the server, the journal, and what a person is told afterwards. */
import { AgentSigner } from '../trust/agent-signer.js';
import { Journal } from '../trust/journal.js';
import { DEFAULT_LIFETIMES, type Lifetimes } from '../trust/publication.js';
import { Publisher, type Published } from '../trust/publisher.js';
import { keysWithin } from '../trust/reach.js';
import type { RoleKey, RoleSigner } from '../trust/role-signer.js';
import { RootCertificates } from '../trust/root-certificate-order.js';
import { requestTimeoutMs, withAgent } from './agent-session.js';
import type { CommandResult } from './command.js';
import type { CliContext } from './context.js';
import type { OptionValues } from './option-values.js';
import { openTrust, type TrustSession } from './trust-session.js';

/** Another publish of this repository on this machine is waited for so long, milliseconds. */
const LOCK_MS = 30_000;
const MAX_DAYS = 10_950;

export interface PublishingSession extends TrustSession {
  readonly repository: string;
  readonly signer: RoleSigner;
  readonly publisher: Publisher;
  readonly certificates: RootCertificates;
  /** Of root certificates that are made now. */
  readonly certificateDays: number;
}

export interface PublishingNeeds {
  /** Roles below `targets` that this command signs for, `targets/releases` aside. */
  readonly roles?: readonly string[] | undefined;
  /** For whoever renews what has expired. */
  readonly tolerateExpired?: boolean | undefined;
  /** Signs for all roles there are, with what the agent and somebody else have: for taking over a repository. */
  readonly beside?: ((agent: RoleSigner) => RoleSigner) | undefined;
}

/** Connects to the agent, opens the repository, and hands both over. */
export async function withPublisher<T>(
  context: CliContext,
  options: OptionValues,
  repository: string,
  needs: PublishingNeeds,
  use: (session: PublishingSession) => Promise<T>,
): Promise<T> {
  const session = await openTrust(context, options, repository);
  const { server, trustDir, pins, memory } = session;
  return withAgent(context, (client) => {
    const agent = new AgentSigner(client, requestTimeoutMs(context));
    const signer = needs.beside?.(agent) ?? agent;
    const lifetimes = lifetimesOf(options);
    const publisher = new Publisher({
      server,
      signer,
      journal: new Journal(trustDir, repository),
      reading: { pins, memory, tolerateExpired: needs.tolerateExpired ?? false },
      keys: (all: readonly RoleKey[]) =>
        needs.beside === undefined ? keysWithin(all, needs.roles ?? []) : all,
      lifetimes,
      deadline: Date.now() + LOCK_MS,
    });
    const certificates = new RootCertificates(trustDir, signer);
    return use({ ...session, repository, signer, publisher, certificates, certificateDays: lifetimes.root });
  });
}

/** What was published, in words on standard error and as JSON. */
export function publishedResult(
  context: CliContext,
  published: Published,
  done: string,
  facts: object = {},
): CommandResult {
  const { repository, versions, notes, resumed } = published;
  if (resumed !== undefined) context.note(`touchstone: first ended what was interrupted: ${resumed}`);
  for (const note of notes) context.note(`touchstone: ${note}`);
  const what = versions.map(({ role, version }) => `${role} ${version}`).join(', ');
  context.note(
    versions.length === 0 ? `touchstone: ${repository}: nothing to change` : `touchstone: ${done} (${what})`,
  );
  return { json: { repository, published: versions, notes, resumed: resumed ?? null, ...facts }, text: '' };
}

/** Who signs: --as, else TOUCHSTONE_TRUST_SIGNER. */
export function signerName(context: CliContext, options: OptionValues): string | undefined {
  const fromEnvironment = context.env['TOUCHSTONE_TRUST_SIGNER'] ?? '';
  return options.text('as') ?? (fromEnvironment === '' ? undefined : fromEnvironment);
}

function lifetimesOf(options: OptionValues): Lifetimes {
  const days = options.integer('days', { min: 1, max: MAX_DAYS });
  return days === undefined ? DEFAULT_LIFETIMES : { root: days, targets: days, snapshot: days };
}
