/** Whether the files that a web server hands out are the ones that were signed. */
import { join } from 'node:path';
import { asAgentError } from '../../errors/agent-error.js';
import type { TufHashes } from '../../formats/tuf/document.js';
import { storedFacts } from './target-files.js';
import { storedPath } from './target-name.js';

export interface ListedTarget {
  readonly name: string;
  readonly role: string;
  /** Bytes. */
  readonly length: number;
  readonly hashes: TufHashes;
}

/** What is wrong with a role or a target. */
export interface TargetProblem {
  readonly name: string;
  readonly problem: string;
}

/** Hashes every file. Names that would lead out of the folder are a problem, and are not followed. */
export async function checkTargetFiles(
  folder: string,
  targets: readonly ListedTarget[],
): Promise<readonly TargetProblem[]> {
  const problems: TargetProblem[] = [];
  for (const { name, length, hashes } of targets) {
    const problem = await problemOf(folder, { name, length, hashes });
    if (problem !== undefined) problems.push({ name, problem });
  }
  return problems;
}

async function problemOf(
  folder: string,
  { name, length, hashes }: Omit<ListedTarget, 'role'>,
): Promise<string | undefined> {
  const { sha256 } = hashes;
  if (sha256 === undefined) return 'it has no sha256';
  if (name.split('/').some((part) => part === '' || part === '.' || part === '..') || /[\\\0]/.test(name)) {
    return 'its name leads out of the folder';
  }
  try {
    const facts = await storedFacts(join(folder, storedPath(name, sha256)));
    if (facts === undefined) return 'there is no file of it';
    const isSame = facts.length === length && facts.sha256 === sha256.toLowerCase();
    return isSame ? undefined : 'its file is not the one that is signed';
  } catch (thrown) {
    return asAgentError(thrown).message;
  }
}
