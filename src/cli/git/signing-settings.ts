/** What makes git sign with a key of the agent: settings, and the files they name. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { GitConfig } from './git-config.js';

export interface SettingChange {
  readonly name: string;
  /** In this scope before; undefined when it was not set there. */
  readonly before: string | undefined;
  /** Undefined removes it. */
  readonly after: string | undefined;
}

export interface GitFiles {
  /** Runs ssh-keygen with the agent's socket, whatever SSH_AUTH_SOCK says. */
  readonly program: string;
  readonly allowedSigners: string;
  /** What was there before, for --undo. */
  readonly memory: string;
}

/**
 * @param configFolder folder of touchstone.toml
 * @param repository top folder, or undefined for the global scope
 */
export function gitFiles(configFolder: string, repository: string | undefined): GitFiles {
  const folder = join(configFolder, 'git');
  const scope = repository === undefined ? 'global' : createHash('sha256').update(repository).digest('hex');
  return {
    program: join(folder, 'ssh-keygen'),
    allowedSigners: join(folder, 'allowed_signers'),
    memory: join(folder, `before-${scope.slice(0, 16)}.json`),
  };
}

/** The settings that differ from what they have to be; a file of allowed signers that is named already stays. */
export function plannedChanges(git: GitConfig, files: GitFiles, keyLine: string): readonly SettingChange[] {
  const wanted: readonly (readonly [string, string])[] = [
    ['gpg.format', 'ssh'],
    ['gpg.ssh.program', files.program],
    ['gpg.ssh.allowedSignersFile', git.inForce('gpg.ssh.allowedSignersFile') ?? files.allowedSigners],
    ['user.signingKey', keyLine],
    ['commit.gpgSign', 'true'],
    ['tag.gpgSign', 'true'],
  ];
  return wanted.flatMap(([name, after]) => {
    const before = git.get(name);
    const stands = name === 'gpg.ssh.allowedSignersFile' ? git.inForce(name) : before;
    return stands === after ? [] : [{ name, before, after }];
  });
}

/** A shell script: git starts it in place of ssh-keygen. */
export function signingProgram(socket: string): string {
  return `#!/bin/sh
# Written by "touchstone integrate git". git starts this in place of ssh-keygen; the key comes from the agent.
SSH_AUTH_SOCK='${socket.replaceAll("'", "'\\''")}' exec ssh-keygen "$@"
`;
}

/** One line of an allowed signers file (ssh-keygen(1)), for git alone. */
export function allowedSigner(principal: string, keyLine: string): string {
  return `${principal} namespaces="git" ${keyLine}`;
}
