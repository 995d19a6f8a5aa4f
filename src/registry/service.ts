/** What kind of server is talked to: the noun and the codes of what goes wrong with it. */
import type { ErrorCode } from '../errors/codes.js';

export interface Service {
  readonly noun: string;
  /** Option that adds an authority, for hints. */
  readonly authorityOption: string;
  readonly unreachable: ErrorCode;
  readonly denied: ErrorCode;
  /** An answer that makes no sense. */
  readonly reply: ErrorCode;
}

export const REGISTRY_SERVICE: Service = {
  noun: 'registry',
  authorityOption: '--registry-ca',
  unreachable: 'registry.unreachable',
  denied: 'registry.denied',
  reply: 'registry.reply',
};
