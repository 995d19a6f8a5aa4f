/**
 * The guard of versioned metadata: which content of which version may be signed. Readers believe the highest version they can
 * verify, so a version that was published has one content for ever, and a version that was signed has one until somebody showed that nobody
 * stored it. Pure transitions over plain data, for one repository and role.
 */

/** One content of one version. */
export interface GuardedContent {
  readonly version: number;
  /** Lower-case hex SHA-256 of the signed bytes. */
  readonly sha256: string;
}

export interface GuardState {
  /** The highest version that a reader has seen. */
  readonly published: GuardedContent | null;
  /** The one version above it that was signed; `contents` are all its contents, the last one counts. */
  readonly signed: { readonly version: number; readonly contents: readonly string[] } | null;
  /** The highest version that was signed and then left behind for a higher one; nothing up to it is signed again. */
  readonly passed: number;
  /** The newest document, and the one before it: what the next one is compared with. */
  readonly latest: GuardedContent | null;
  readonly before: GuardedContent | null;
}

/** A content that somebody wants signed. */
export interface GuardDemand {
  readonly content: GuardedContent;
  /** Whether the role may have a second content of a version that is signed and not published. */
  readonly isOnline: boolean;
  /** The content that the server shows it did not store. */
  readonly notStored: string | undefined;
}

export type GuardCode = 'guard.version' | 'guard.conflict';

export type GuardVerdict =
  | { readonly outcome: 'admitted'; readonly state: GuardState; readonly replaces: string | undefined }
  /** This very content was signed before. */
  | { readonly outcome: 'again'; readonly state: GuardState }
  | { readonly outcome: 'refused'; readonly code: GuardCode; readonly reason: string };

/** Contents that one version of an online role may have. */
export const MAX_CONTENTS = 8;

/** Signed behind a server that signs before it stores, so that one version may need another content. */
const ONLINE_ROLES: ReadonlySet<string> = new Set(['snapshot', 'timestamp']);

/** Nothing was ever signed. */
export const UNGUARDED: GuardState = { published: null, signed: null, passed: 0, latest: null, before: null };

/** Whether a version of this role may have a second content while it is unpublished. */
export function isOnlineRole(role: string): boolean {
  return ONLINE_ROLES.has(role);
}

/** The highest version that was signed or published; 0 for none. */
export function highestVersion({ published, signed, passed }: GuardState): number {
  return Math.max(published?.version ?? 0, signed?.version ?? 0, passed);
}

/** Whether the content may be signed, and what is known afterwards. */
export function admitContent(state: GuardState, demand: GuardDemand): GuardVerdict {
  const { published, signed } = state;
  const { version, sha256 } = demand.content;
  if (isSame(published, demand.content)) return { outcome: 'again', state };
  if (signed?.version === version) return admitSigned(state, signed.contents, demand);
  if (version <= highestVersion(state)) return refusedVersion(state, version);
  const passed = Math.max(state.passed, signed?.version ?? 0);
  const next = { ...state, passed, signed: { version, contents: [sha256] } };
  return { outcome: 'admitted', state: withLatest(next, demand.content), replaces: undefined };
}

/** A reader has seen this content. Only what was signed here can become published. */
export function publishContent(
  state: GuardState,
  content: GuardedContent,
): { readonly matched: boolean; readonly state: GuardState } {
  const { published, signed } = state;
  if (isSame(published, content)) return { matched: true, state };
  if (signed?.version !== content.version || !signed.contents.includes(content.sha256))
    return { matched: false, state };
  return { matched: true, state: { ...state, published: content, signed: null } };
}

/** Forgets what is signed and not published, so that its version may have another content. Undefined when it is not what is signed. */
export function abandonContent(state: GuardState, content: GuardedContent): GuardState | undefined {
  const { signed } = state;
  if (signed?.version !== content.version || signed.contents.at(-1) !== content.sha256) return undefined;
  return withoutLatest({ ...state, signed: null }, content.version);
}

/** Takes an admission back after which nothing was signed: `before` is the state that it began with. */
export function withdrawContent(state: GuardState, before: GuardState): GuardState {
  const { published, signed, passed } = before;
  return withoutLatest({ ...state, published, signed, passed }, state.signed?.version ?? 0);
}

/** The document that this one is to be compared with. A first version has an empty one. */
export function baseOf(state: GuardState, { version }: GuardedContent): GuardedContent | 'empty' | undefined {
  const { latest, before } = state;
  const base = [latest, before].find((each) => each !== null && each.version < version) ?? undefined;
  return base === undefined && version === 1 ? 'empty' : base;
}

function admitSigned(state: GuardState, contents: readonly string[], demand: GuardDemand): GuardVerdict {
  const { content, notStored, isOnline } = demand;
  const { version, sha256 } = content;
  const last = contents.at(-1) ?? '';
  const withContents = (list: readonly string[]): GuardState =>
    withLatest({ ...state, signed: { version, contents: list } }, content);
  if (contents.includes(sha256)) {
    const others = contents.filter((each) => each !== sha256);
    return { outcome: 'again', state: last === sha256 ? state : withContents([...others, sha256]) };
  }
  const refusal = (reason: string): GuardVerdict => ({ outcome: 'refused', code: 'guard.conflict', reason });
  if (!isOnline || notStored === undefined) {
    return refusal(`version ${version} is signed with other content (sha256 ${last}) and not published`);
  }
  if (notStored !== last) {
    return refusal(`version ${version} was signed with other content meanwhile (sha256 ${last})`);
  }
  if (contents.length >= MAX_CONTENTS) {
    return refusal(`version ${version} is signed with ${MAX_CONTENTS} contents, and it may not have more`);
  }
  return { outcome: 'admitted', state: withContents([...contents, sha256]), replaces: last };
}

function refusedVersion({ published, signed, passed }: GuardState, version: number): GuardVerdict {
  const code = 'guard.version';
  if (published?.version === version) {
    return { outcome: 'refused', code, reason: `version ${version} is published with other content` };
  }
  const highest =
    published !== null && version < published.version
      ? `version ${published.version} is published`
      : `version ${Math.max(signed?.version ?? 0, passed)} is signed already`;
  return { outcome: 'refused', code, reason: `version ${version} would be a step back: ${highest}` };
}

function withLatest(state: GuardState, content: GuardedContent): GuardState {
  const { latest } = state;
  if (latest === null) return { ...state, latest: content };
  if (content.version === latest.version) return { ...state, latest: content };
  return { ...state, latest: content, before: latest };
}

/** The document of a version that is not there any more; what stood before it is the newest again. */
function withoutLatest(state: GuardState, version: number): GuardState {
  if (state.latest?.version !== version) return state;
  return { ...state, latest: state.before, before: null };
}

function isSame(known: GuardedContent | null, content: GuardedContent): boolean {
  return known?.version === content.version && known.sha256 === content.sha256;
}
