/**
 * What bytes are, established by parsing them (design: Request → Statement). The agent shows and logs only these
 * facts, never what a client says about its bytes.
 */

/** A kind as written in requests, policies and logs, for example `sshsig:file` or `dsse:application/vnd.in-toto+json`. */
export type Kind = string;

/** Facts of a statement: small, printable, safe to log. */
export type StatementFacts = Readonly<Record<string, string | number | readonly string[]>>;

/** A target of a document: what a name stands for. */
export interface TargetFact {
  /** Lower-case hex SHA-256. */
  readonly sha256: string;
  /** Bytes. */
  readonly length: number;
  /** What else stands with it, further hashes and custom data, as canonical JSON; undefined when nothing does. */
  readonly rest?: string | undefined;
}

/** What versioned metadata says of itself; the guard counts by it. */
export interface VersionedDocument {
  readonly version: number;
  /** RFC 3339, as written. */
  readonly expires: string;
  /** Lower-case hex SHA-256 of the signed bytes. */
  readonly sha256: string;
  /** Only of documents that list targets. */
  readonly targets?: ReadonlyMap<string, TargetFact> | undefined;
}

export interface Statement {
  readonly kind: Kind;
  /** Where the bytes themselves carry a repository; it must equal the key record's. */
  readonly repository?: string | undefined;
  /** Where the bytes say which key signs them (a certificate that signs itself): its key id. */
  readonly signer?: string | undefined;
  /** Only of kinds with versions (`notary.*`, `tuf.*`). */
  readonly document?: VersionedDocument | undefined;
  /** At most two lines, each at most 120 characters, printable. */
  readonly summary: readonly string[];
  readonly facts: StatementFacts;
  /** A bare digest: the agent cannot know what it signs. */
  readonly blind: boolean;
}
