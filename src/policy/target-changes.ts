/** What a document changes against the one before it, in words that fit on a line of the audit log. */
import { printable } from '../encoding/utf8.js';
import type { TargetFact } from '../formats/statement.js';

export interface TargetChanges {
  /** How many targets differ; left out when there is nothing to compare with. */
  readonly changed?: number | undefined;
  /**
   * The first of them, by name: `+NAME sha256:…`, `NAME moved to sha256:…`, `NAME has other custom data or further hashes`, `-NAME`; or
   * `no base`.
   */
  readonly changes: readonly string[];
}

const SHOWN = 20;
const SHOWN_NAME = 80;

/** @param base targets of the document before, undefined when that is not known */
export function targetChanges(
  base: ReadonlyMap<string, TargetFact> | undefined,
  targets: ReadonlyMap<string, TargetFact>,
): TargetChanges {
  if (base === undefined) return { changes: ['no base'] };
  const names = [...new Set([...base.keys(), ...targets.keys()])]
    .filter(
      (name) => !isSame(base.get(name), targets.get(name)) || isOtherwise(base.get(name), targets.get(name)),
    )
    .sort();
  const changes = names.slice(0, SHOWN).map((name) => change(name, base.get(name), targets.get(name)));
  return { changed: names.length, changes };
}

function isSame(before: TargetFact | undefined, after: TargetFact | undefined): boolean {
  return before?.sha256 === after?.sha256 && before?.length === after?.length;
}

function isOtherwise(before: TargetFact | undefined, after: TargetFact | undefined): boolean {
  return before?.rest !== after?.rest;
}

function change(name: string, before: TargetFact | undefined, after: TargetFact | undefined): string {
  const shown = printable(name, SHOWN_NAME);
  if (after === undefined) return `-${shown}`;
  if (before === undefined) return `+${shown} sha256:${after.sha256}`;
  return isSame(before, after)
    ? `${shown} has other custom data or further hashes`
    : `${shown} moved to sha256:${after.sha256}`;
}
