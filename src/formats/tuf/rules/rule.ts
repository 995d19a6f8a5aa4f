/** What a rule of the portable profile is given, and what it finds. */
import type { TufDelegations, TufDocument, TufEnvelope } from '../document.js';
import type { TufKey } from '../key.js';

export interface Problem {
  /** The field, for example `roles.root` or `targets["a/b"]`. */
  readonly where: string;
  /** Why it is one: who breaks, or what goes wrong. */
  readonly message: string;
}

export interface Linted extends TufEnvelope {
  /** Of the file. */
  readonly bytes: number;
  /** Of whoever has to sign, by id; for a root its own. */
  readonly signers: ReadonlyMap<string, TufKey>;
}

export type Rule = (file: Linted) => readonly Problem[];

/** Every map of keys inside a document, with the field it stands in. */
export function keyMapsOf(signed: TufDocument): readonly (readonly [string, ReadonlyMap<string, TufKey>])[] {
  if (signed.type === 'root') return [['keys', signed.keys]];
  const { keys } = delegationsOf(signed) ?? {};
  return keys === undefined ? [] : [['delegations.keys', keys]];
}

/** Every key inside a document, with its id and the field it stands in. */
export function keysOf(
  signed: TufDocument,
): readonly { readonly id: string; readonly key: TufKey; readonly where: string }[] {
  return keyMapsOf(signed).flatMap(([field, keys]) =>
    [...keys].map(([id, key]) => ({ id, key, where: `${field}["${id}"]` })),
  );
}

/** Undefined for documents that delegate nothing. */
export function delegationsOf(signed: TufDocument): TufDelegations | undefined {
  return signed.type === 'targets' ? signed.delegations : undefined;
}
