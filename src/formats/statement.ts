/**
 * What bytes are, established by parsing them (design: Request → Statement). The agent shows and logs only these
 * facts, never what a client says about its bytes.
 */

/** A kind as written in requests, policies and logs, for example `sshsig:file` or `dsse:application/vnd.in-toto+json`. */
export type Kind = string;

/** Facts of a statement: small, printable, safe to log. */
export type StatementFacts = Readonly<Record<string, string | number | readonly string[]>>;

export interface Statement {
  readonly kind: Kind;
  /** Where the bytes themselves carry a repository; it must equal the key record's. */
  readonly repository?: string | undefined;
  /** Where the bytes say which key signs them (a certificate that signs itself): its key id. */
  readonly signer?: string | undefined;
  /** At most two lines, each at most 120 characters, printable. */
  readonly summary: readonly string[];
  readonly facts: StatementFacts;
  /** A bare digest: the agent cannot know what it signs. */
  readonly blind: boolean;
}
