/**
 * One publish, from a plan to what a fresh reader sees. The plan is made anew whenever somebody else was faster; what was begun before
 * is ended first; and nothing is signed that is not on disk.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';
import { tufKeyId } from '../formats/notary1/key.js';
import type { Draft, PublishedState } from './draft.js';
import { snapshotView, takeBack, unended, type SnapshotView } from './interrupted.js';
import type { Journal, PendingPublish } from './journal.js';
import { requireUnlocked } from './locked-keys.js';
import {
  pendingDocuments,
  pendingSnapshot,
  sealDocument,
  type Lifetimes,
  type PendingDocument,
  type PublicationFacts,
} from './publication.js';
import { RepositoryView, type Reading } from './repository-view.js';
import type { PublishedVersion, RoleKey, RoleSigner } from './role-signer.js';
import type { TrustServer } from './server.js';
import { publishedVersion, standingOf, versionFacts } from './standing.js';

const MAX_ROUNDS = 8;
const MIN_PAUSE_MS = 50;
const MAX_PAUSE_MS = 400;
/** How long a publish of somebody else with the same agent may take before it counts as given up, milliseconds. */
const PATIENCE_MS = 5_000;

const MAX_FIRST_ROOT = 2;

const CONFLICTS: ReadonlySet<ErrorCode> = new Set(['notary.conflict', 'guard.conflict', 'guard.version']);

export interface PublisherParts {
  readonly server: TrustServer;
  readonly signer: RoleSigner;
  readonly journal: Journal;
  readonly reading: Reading;
  /** The keys that may sign in this command. */
  readonly keys: (all: readonly RoleKey[]) => readonly RoleKey[];
  readonly lifetimes: Lifetimes;
  /** Absolute time until which another publisher on this machine is waited for, milliseconds since the epoch. */
  readonly deadline: number;
}

/** What the plan may look at. */
export interface PlanInput {
  /** Undefined for a repository that is not there. */
  readonly base: PublishedState | undefined;
  readonly keys: readonly RoleKey[];
}

export type Plan = (input: PlanInput) => Promise<Draft> | Draft;

export interface Published {
  readonly repository: string;
  /** Empty when there was nothing to do. */
  readonly versions: readonly PublishedVersion[];
  readonly notes: readonly string[];
  /** An earlier publish that was ended on the way. */
  readonly resumed?: string | undefined;
}

export class Publisher {
  readonly #parts: PublisherParts;
  readonly #view: RepositoryView;
  #earlierRoot: PendingDocument | undefined;
  readonly #signed = new Map<string, number>();
  /** Of what was taken back. */
  readonly #notes: string[] = [];
  #isNew = false;
  readonly #patience = Date.now() + PATIENCE_MS;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#view = new RepositoryView(parts.server, parts.reading);
  }

  /**
   * Publishes what the plan says.
   * @param words what it is for, whole: an interrupted publish of the same words is this one
   * @throws AgentError of plan, agent and server; `notary.conflict` when others win every time
   */
  async publish(words: string, plan: Plan): Promise<Published> {
    const { journal, server, deadline } = this.#parts;
    using _lock = await journal.lock(deadline);
    const earlier = await this.#endEarlier();
    // Asked for the same again: it is done.
    if (earlier?.words === words) return { ...earlier, repository: server.repository, notes: this.#notes };
    const resumed = earlier?.words;
    for (let round = 1; ; round += 1) {
      try {
        const published = await this.#once(words, plan);
        const notes = [...this.#notes, ...published.notes];
        return { ...published, notes, ...(resumed === undefined ? {} : { resumed }) };
      } catch (cause) {
        if (!isConflict(cause)) throw cause;
        journal.clear();
        this.#requireFirstRoot(cause);
        if (round >= MAX_ROUNDS && Date.now() > this.#patience) throw this.#overtaken(cause);
        await delay(MIN_PAUSE_MS + randomInt(MAX_PAUSE_MS));
      }
    }
  }

  async #once(words: string, plan: Plan): Promise<Published> {
    const { signer, server, keys } = this.#parts;
    const { repository } = server;
    const [base, all] = await Promise.all([this.#view.read(), signer.keysOf(repository)]);
    this.#isNew = base === undefined;
    const draft = await plan({ base, keys: keys(all) });
    const { notes } = draft;
    if (draft.isEmpty) return { repository, versions: [], notes };
    // The plan may have made keys.
    const held = keys(await signer.keysOf(repository));
    for (const [role, version] of await this.#view.storedVersions(draft)) this.#noteVersion(role, version);
    const facts = await this.#facts(held);
    const documents = pendingDocuments(draft, facts);
    requireUnlocked(documents, held);
    const isOurs = isOwnSnapshot(draft, held);
    // A server makes a key where the root in force names none of its own: whoever signs a new root has asked already.
    if (!isOurs && draft.changedRoot === undefined) await requireServerSnapshot(server, draft);
    const open = documents.filter(({ file }) => file === undefined).map(({ role }) => role);
    await this.#waitForOthers(draft, [...open, ...(isOurs ? ['snapshot'] : [])]);
    const pending: PendingPublish = {
      words,
      begun: new Date().toISOString(),
      replaces: new Map(documents.map(({ role }) => [role, publishedVersion(base, role)])),
      documents,
      dropped: [...draft.dropped],
      ownSnapshot: isOurs,
    };
    return { repository, versions: await this.#finish(pending, draft), notes };
  }

  /** From the intent on disk to what a reader sees. */
  async #finish(pending: PendingPublish, draft: SnapshotView): Promise<readonly PublishedVersion[]> {
    const { journal, server } = this.#parts;
    journal.write(pending);
    for (const { role, version } of pending.documents) this.#noteVersion(role, version);
    this.#earlierRoot = pending.documents.find(({ role }) => role === 'root') ?? this.#earlierRoot;
    const signed = await this.#sign(pending.documents);
    const isWhole = !pending.ownSnapshot || signed.some(({ role }) => role === 'snapshot');
    const documents = isWhole ? signed : [...signed, await this.#snapshot(draft, signed)];
    journal.write({ ...pending, documents });
    await this.#view.requireNothingBetween(documents, draft.base, 'notary.conflict');
    await this.#upload(documents);
    const versions = documents.map(versionFacts);
    await this.#view.readBack(documents, draft.base);
    await this.#parts.signer.notePublished(server.repository, versions);
    journal.clear();
    await this.#view.requireNothingBetween(documents, draft.base, 'notary.overwritten');
    return versions;
  }

  /**
   * A version that is signed and not on the server is being published by somebody else with the same agent, or was given up. The first is
   * waited for: two contents of one version would be refused, and a jump over it would overwrite it.
   */
  async #waitForOthers(draft: Draft, roles: readonly string[]): Promise<void> {
    const { signer, server } = this.#parts;
    const known = await signer.versionsSigned(server.repository);
    const isBusy = roles.some((role) => {
      const signed = known.get(role) ?? 0;
      return signed > publishedVersion(draft.base, role) && signed !== this.#signed.get(role);
    });
    if (isBusy && draft.base !== undefined && Date.now() < this.#patience) {
      throw new AgentError('notary.conflict');
    }
  }

  #noteVersion(role: string, version: number): void {
    this.#signed.set(role, Math.max(version, this.#signed.get(role) ?? 0));
  }

  /** A server takes a first root of version 1 or 2. Where the agent has seen both published, the repository was there before. */
  #requireFirstRoot(cause: AgentError): void {
    const { repository } = this.#parts.server;
    if (cause.code !== 'guard.version' || !this.#isNew || (this.#signed.get('root') ?? 0) < MAX_FIRST_ROOT)
      return;
    throw new AgentError('guard.version', {
      message: `beginning ${repository}: it was published before, and the trust server knows it no more`,
      hint: `find out who deleted it; to begin it anew: touchstone guard forget ${repository}`,
      details: { repository },
      cause,
    });
  }

  #overtaken(cause: AgentError): AgentError {
    if (cause.code !== 'notary.conflict') return cause;
    return new AgentError('notary.conflict', {
      message: `publishing ${this.#parts.server.repository}: others were faster every time`,
    });
  }

  /** All documents in one request: one decision, one group of the audit log. */
  async #sign(documents: readonly PendingDocument[]): Promise<readonly PendingDocument[]> {
    const open = documents.filter(({ file }) => file === undefined);
    const orders = open.flatMap(({ kind, signedBytes, signatures }) =>
      [...new Set(signatures.map(({ key }) => key))].map((key) => ({ key, kind, payload: signedBytes })),
    );
    const made = await this.#parts.signer.sign(orders);
    const signatureOf = (document: PendingDocument, key: string): Buffer => {
      const index = orders.findIndex((one) => one.key === key && one.payload === document.signedBytes);
      return made[index] ?? Buffer.alloc(0);
    };
    return documents.map((document) =>
      document.file === undefined
        ? sealDocument(
            document,
            document.signatures.map(({ key }) => signatureOf(document, key)),
          )
        : document,
    );
  }

  async #snapshot(draft: SnapshotView, signed: readonly PendingDocument[]): Promise<PendingDocument> {
    const { signer, server, keys } = this.#parts;
    const held = keys(await signer.keysOf(server.repository));
    const pending = pendingSnapshot(draft, signed, await this.#facts(held));
    this.#noteVersion('snapshot', pending.version);
    const [snapshot] = await this.#sign([pending]);
    return snapshot ?? pending;
  }

  async #facts(keys: readonly RoleKey[]): Promise<PublicationFacts> {
    const { signer, server, lifetimes } = this.#parts;
    const known = await signer.versionsSigned(server.repository);
    const versionsSigned = new Map(known);
    for (const [role, version] of this.#signed) {
      versionsSigned.set(role, Math.max(version, known.get(role) ?? 0));
    }
    return { keys, nowMs: Date.now(), lifetimes, versionsSigned, earlierRoot: this.#earlierRoot };
  }

  /** Whatever the server says, the journal stays: the next command tries the same bytes once more, and takes back what it cannot end. */
  async #upload(documents: readonly PendingDocument[]): Promise<void> {
    const files = documents.flatMap(({ role, file }) => (file === undefined ? [] : [[role, file] as const]));
    await this.#parts.server.upload(new Map(files));
  }

  async #endEarlier(): Promise<Ended | undefined> {
    const { journal, server, signer } = this.#parts;
    const pending = journal.read();
    if (pending === undefined) return undefined;
    const { words } = pending;
    const base = await this.#view.read();
    const standing = standingOf(pending.documents, base, pending.replaces);
    if (standing === 'unpublished') {
      try {
        requireUnlocked(pending.documents, await signer.keysOf(server.repository));
        return { words, versions: await this.#finish(pending, snapshotView(pending, base)) };
      } catch (cause) {
        if (isRejection(cause))
          this.#notes.push(...(await takeBack(pending, { source: server, signer }, cause)));
        else if (!isConflict(cause)) throw unended(words, server.repository, cause);
        // Nobody else is waited for: they were ours.
        for (const { role, version } of pending.documents) this.#noteVersion(role, version);
      }
    }
    const versions = pending.documents.map(versionFacts);
    if (standing === 'published') await signer.notePublished(server.repository, versions);
    journal.clear();
    return standing === 'published' ? { words, versions } : undefined;
  }
}

/** An earlier publish that is published now. */
type Ended = Pick<Published, 'versions'> & { readonly words: string };

/**
 * A publish without a snapshot is taken only by a server that signs one itself. It is asked for its key, and whatever goes wrong with that
 * is left to the upload.
 * @throws AgentError `notary.keys` saying who has to publish
 */
async function requireServerSnapshot(server: TrustServer, draft: Draft): Promise<void> {
  const { repository } = server;
  const key = await server.serverKey('snapshot').catch(() => undefined);
  if (key === undefined || draft.membersOf('snapshot').keyids.includes(tufKeyId(key))) return;
  throw new AgentError('notary.keys', {
    message: `publishing ${repository}: its owner keeps the key of the snapshot, so only the owner can publish`,
    hint: `have the owner do it, or hand the snapshot to the server once: touchstone trust key rotate ${repository} snapshot --server-snapshot`,
    details: { role: 'snapshot' },
  });
}

/** A snapshot of ours goes with every publish unless the server keeps its key. */
function isOwnSnapshot(draft: Draft, keys: readonly RoleKey[]): boolean {
  const ids = draft.canonicalIdsOf('snapshot');
  return keys.some(({ role, canonicalId }) => role === 'snapshot' && ids.includes(canonicalId));
}

function isRejection(cause: unknown): cause is AgentError {
  return cause instanceof AgentError && cause.code === 'notary.rejected';
}

/** Somebody else was faster: at the server, or at the agent. */
function isConflict(cause: unknown): cause is AgentError {
  return cause instanceof AgentError && CONFLICTS.has(cause.code);
}
