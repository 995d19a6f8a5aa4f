/**
 * The guard as the pipe uses it: what stands on disk, in memory. A batch is looked at as a whole, made durable before anything is
 * ordered, and taken back only when the keeper says that it signed none of it.
 */
import type { AuditDocument } from '../audit/record.js';
import { printable } from '../encoding/utf8.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import { describe } from '../formats/describe.js';
import type { TargetFact, VersionedDocument } from '../formats/statement.js';
import {
  abandonContent,
  admitContent,
  baseOf,
  highestVersion,
  isOnlineRole,
  publishContent,
  UNGUARDED,
  withdrawContent,
  type GuardedContent,
  type GuardState,
} from '../policy/guard.js';
import { targetChanges } from '../policy/target-changes.js';
import type { GuardEntry, GuardName } from '../state/guard-entry.js';
import type { GuardChange, GuardFolder } from '../state/guard-folder.js';
import type { Admitted } from './admission.js';

/** A request for versioned metadata. */
interface Guarded {
  readonly item: Admitted;
  readonly document: VersionedDocument;
}

/** What a batch does to one entry. */
interface Step {
  readonly before: GuardEntry;
  readonly after: GuardEntry;
  /** Signed bytes to keep beside the entry: documents that list targets. */
  readonly document: Buffer | undefined;
}

export class GuardBook {
  readonly #folder: GuardFolder;
  readonly #entries = new Map<string, GuardEntry>();
  readonly #problem: AgentError | undefined;

  /** Reads the folder. One that is damaged or older lets nothing be signed that needs a guard, and everything else. */
  constructor(folder: GuardFolder) {
    this.#folder = folder;
    try {
      for (const entry of folder.load()) this.#entries.set(nameOf(entry), entry);
    } catch (thrown) {
      this.#problem = asAgentError(thrown);
    }
  }

  /** Why no versioned metadata is signed. */
  get problem(): AgentError | undefined {
    return this.#problem;
  }

  /** Everything that is guarded, in an order that only grows. @throws AgentError the problem */
  list(): readonly GuardEntry[] {
    this.#requireSound();
    return [...this.#entries.values()];
  }

  /**
   * Looks at a batch; changes nothing yet. Undefined when nothing in it has versions.
   * @throws AgentError `guard.version`, `guard.conflict`, `usage.invalid`, or the problem of the folder
   */
  look(items: readonly Admitted[]): GuardedBatch | undefined {
    const guarded: Guarded[] = [];
    for (const item of items) {
      const each = guardedOf(item);
      if (each !== undefined) guarded.push(each);
    }
    if (guarded.length === 0) return undefined;
    this.#requireSound();
    const groups = new Map<string, Guarded[]>();
    for (const each of guarded) {
      const name = nameOf(each.item.key.record);
      groups.set(name, [...(groups.get(name) ?? []), each]);
    }
    const documents = new Map<Admitted, AuditDocument>();
    const steps = [...groups.values()].map((group) => this.#step(group, documents));
    return new GuardedBatch(steps, documents, {
      save: (changes) => {
        this.#saveAll(changes);
      },
      replace: (entry) => {
        this.#entries.set(nameOf(entry), entry);
      },
      isCurrent: (entry) => this.#entries.get(nameOf(entry)) === entry,
    });
  }

  /** A reader has seen this content: true when it is one that was signed here. @throws AgentError `state.write`, or the problem */
  publish(name: GuardName, content: GuardedContent): boolean {
    const entry = this.#entry(name);
    const { matched, state } = publishContent(entry.state, content);
    if (state !== entry.state) this.#save(changed(entry, state));
    return matched;
  }

  /** @throws AgentError `guard.version` when it is not what is signed, `state.write`, or the problem */
  abandon(name: GuardName, content: GuardedContent): void {
    const entry = this.#entry(name);
    this.#save(changed(entry, this.#abandoned(entry, content)));
  }

  /** @throws AgentError `guard.version` when it is not what could be abandoned, or the problem */
  requireSigned(name: GuardName, content: GuardedContent): void {
    this.#abandoned(this.#entry(name), content);
  }

  /** Entries of a repository of which a version is known. @throws AgentError `guard.version` when there is none, or the problem */
  known(repository: string): readonly GuardEntry[] {
    const entries = this.list().filter(
      (entry) => entry.repository === repository && highestVersion(entry.state) > 0,
    );
    if (entries.length > 0) return entries;
    throw new AgentError('guard.version', {
      message: `forgetting ${printable(repository, 255)}: no version of it is known`,
      hint: 'see: touchstone guard show',
    });
  }

  /**
   * Back to the beginning, for a repository that is gone. The files stay and go on counting their changes: one that is missing is a loss.
   * @throws AgentError `guard.version` when nothing is known, `state.write`, or the problem
   */
  forget(repository: string): readonly string[] {
    return this.known(repository).map((entry) => {
      this.#save(changed(entry, UNGUARDED));
      return entry.role;
    });
  }

  #abandoned(entry: GuardEntry, content: GuardedContent): GuardState {
    const state = abandonContent(entry.state, content);
    if (state !== undefined) return state;
    const { signed } = entry.state;
    const known =
      signed === null
        ? 'nothing is signed and unpublished'
        : `version ${signed.version} is signed, sha256 ${signed.contents.at(-1) ?? ''}`;
    throw new AgentError('guard.version', {
      message: `abandoning version ${content.version} of ${nameOf(entry)}: ${known}`,
      hint: `see: touchstone guard show ${entry.repository}`,
    });
  }

  /** Remembers how far it went; at stop. */
  close(): void {
    if (this.#problem !== undefined) return;
    this.#folder.fold();
    this.#folder.remember();
  }

  #requireSound(): void {
    if (this.#problem !== undefined) throw this.#problem;
  }

  #entry(name: GuardName): GuardEntry {
    this.#requireSound();
    const { repository, role } = name;
    return this.#entries.get(nameOf(name)) ?? { repository, role, state: UNGUARDED, changes: 0 };
  }

  #save(entry: GuardEntry): void {
    this.#saveAll([{ entry }]);
  }

  #saveAll(changes: readonly GuardChange[]): void {
    this.#folder.save(changes);
    for (const { entry } of changes) this.#entries.set(nameOf(entry), entry);
  }

  #step(group: readonly Guarded[], documents: Map<Admitted, AuditDocument>): Step {
    const [first] = group;
    if (first === undefined) throw new AgentError('internal.unexpected');
    const { item, document } = first;
    const { version, sha256, expires, targets } = document;
    const before = this.#entry(item.key.record);
    const name = nameOf(before);
    if (group.some((each) => each.document.sha256 !== sha256)) {
      throw new AgentError('guard.conflict', {
        message: `signing for ${name}: the requests of one call are of different contents`,
        hint: 'sign one content for each repository and role in one call',
      });
    }
    const content = { version, sha256 };
    const notStored = group.find((each) => each.item.notStored !== undefined)?.item.notStored;
    const verdict = admitContent(before.state, { content, notStored, isOnline: isOnlineRole(before.role) });
    if (verdict.outcome === 'refused') {
      throw new AgentError(verdict.code, {
        message: `signing version ${version} for ${name}: ${verdict.reason}`,
        ...(verdict.code === 'guard.conflict' ? { hint: conflictHint(before) } : {}),
        details: { repository: before.repository, role: before.role, version },
      });
    }
    const changes = targets === undefined ? {} : targetChanges(this.#base(before, item, content), targets);
    const replaced = verdict.outcome === 'admitted' ? verdict.replaces : undefined;
    const facts = { version, expires, sha256, ...(replaced === undefined ? {} : { notStored: replaced }) };
    for (const each of group) documents.set(each.item, { ...facts, ...changes });
    // Also what changes nothing is another object from here on: a batch before can no longer be taken back.
    const after = verdict.state === before.state ? { ...before } : changed(before, verdict.state);
    return { before, after, document: targets === undefined ? undefined : item.message };
  }

  /** Targets of the document that this one follows; undefined when they are not known. */
  #base(
    entry: GuardEntry,
    { kind }: Admitted,
    content: GuardedContent,
  ): ReadonlyMap<string, TargetFact> | undefined {
    const base = baseOf(entry.state, content);
    if (base === 'empty') return new Map();
    const bytes = base === undefined ? undefined : this.#folder.readDocument(entry, base);
    try {
      return bytes === undefined ? undefined : describe(kind, bytes).document?.targets;
    } catch {
      // Kept by a release that read it otherwise.
      return undefined;
    }
  }
}

interface BatchHooks {
  /** @throws AgentError `state.write` */
  readonly save: (changes: readonly GuardChange[]) => void;
  /** In memory only. */
  readonly replace: (entry: GuardEntry) => void;
  readonly isCurrent: (entry: GuardEntry) => boolean;
}

/** The versioned metadata of one call to `sign`. */
export class GuardedBatch {
  readonly #steps: readonly Step[];
  readonly #documents: ReadonlyMap<Admitted, AuditDocument>;
  readonly #hooks: BatchHooks;

  constructor(steps: readonly Step[], documents: ReadonlyMap<Admitted, AuditDocument>, hooks: BatchHooks) {
    this.#steps = steps;
    this.#documents = documents;
    this.#hooks = hooks;
  }

  /** For the line of the audit log. */
  documentOf(item: Admitted): AuditDocument | undefined {
    return this.#documents.get(item);
  }

  /** Makes all of it durable, or none: order nothing before. @throws AgentError `state.write` */
  persist(): void {
    const changing = this.#steps.filter(({ before, after }) => after.state !== before.state);
    if (changing.length > 0)
      this.#hooks.save(changing.map(({ after, document }) => ({ entry: after, document })));
    for (const { before, after } of this.#steps) if (after.state === before.state) this.#hooks.replace(after);
  }

  /** The keeper signed nothing of it. What somebody else has asked for since stays. */
  withdraw(): void {
    const entries = this.#steps
      .filter(({ before, after }) => after.state !== before.state && this.#hooks.isCurrent(after))
      .map(({ before, after }) => ({ entry: changed(after, withdrawContent(after.state, before.state)) }));
    if (entries.length === 0) return;
    try {
      this.#hooks.save(entries);
    } catch {
      // It stays signed, which refuses more than it has to and never less.
    }
  }
}

function guardedOf(item: Admitted): Guarded | undefined {
  const { document } = item.statement;
  const online = document !== undefined && isOnlineRole(item.key.record.role);
  if (item.notStored !== undefined && !online) {
    throw new AgentError('usage.invalid', {
      message: 'notStored: only a snapshot or timestamp may have a second content',
      details: { field: 'notStored' },
    });
  }
  return document === undefined ? undefined : { item, document };
}

function conflictHint({ repository, role }: GuardName): string {
  return isOnlineRole(role)
    ? `name the content that the server did not store (notStored); see: touchstone guard show ${repository}`
    : `see: touchstone guard show ${repository}; if nobody stored it: touchstone guard abandon '${repository}#${role}'`;
}

function changed(entry: GuardEntry, state: GuardState): GuardEntry {
  return { ...entry, state, changes: entry.changes + 1 };
}

function nameOf({ repository, role }: GuardName): string {
  return `${repository}#${role}`;
}
