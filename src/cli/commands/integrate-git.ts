/** `touchstone integrate git`: commits and tags are signed with a key of the agent. Says what it will change before it does. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { socketPlaces } from '../../config/sockets.js';
import { AgentError } from '../../errors/agent-error.js';
import { writeFileAtomic } from '../../platform/store/atomic-file.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { GitConfig, type GitScope } from '../git/git-config.js';
import { addSigner, removeSigners } from '../git/signers-file.js';
import {
  allowedSigner,
  gitFiles,
  plannedChanges,
  signingProgram,
  type GitFiles,
  type SettingChange,
} from '../git/signing-settings.js';
import { gitKeyOf } from '../git/ssh-key.js';
import { forget, readMemory, rememberedSettings, writeMemory } from '../git/undo-memory.js';
import type { OptionValues } from '../option-values.js';
import { placesOf } from '../places.js';
import { readConfig } from './config-show.js';

const PROGRAM_MODE = 0o700;

/** Sets git up, or gives back what was there before. */
export async function integrateGit(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const places = await placesOf(context);
  const git = new GitConfig(context.env, scopeOf(options));
  const files = gitFiles(dirname(places.configFile), git.repository());
  if (options.flag('undo')) return undo(context, { git, files, dryRun: options.flag('dry-run') });
  const { config } = readConfig(places.configFile);
  const door = socketPlaces(config, places.socket).find(({ name }) => name === 'ssh-agent');
  if (door === undefined) {
    throw new AgentError('config.invalid', {
      message: 'the SSH agent socket is not enabled',
      hint: `write enabled = true below [ssh-agent] in ${places.configFile} and start the agent again`,
    });
  }
  const key = await gitKeyOf(context, options.text('key'));
  const principal = options.text('principal') ?? git.inForce('user.email');
  if (principal === undefined || !/^[\x21-\x7e]+$/.test(principal)) {
    throw new AgentError('usage.invalid', {
      message: 'option --principal: git has no user.email, so it is needed',
      details: { field: 'principal' },
    });
  }
  const changes = plannedChanges(git, files, `key::${key.line}`);
  const signersFile = signersFileOf(git, files, changes, context.home);
  const signer = allowedSigner(principal, key.line);
  const plan = [
    ...changes.map(({ name, before, after }) => settingLine(name, before, after)),
    `write ${files.program}: runs ssh-keygen with ${door.path}`,
    `add to ${signersFile}: ${principal}, for git alone`,
  ];
  const json = { key: key.name, principal, changes, program: files.program, signersFile };
  if (options.flag('dry-run')) return { json: { ...json, done: false }, text: plan.join('\n') };
  for (const line of plan) context.note(`touchstone: ${line}`);
  apply({ git, files, changes, signersFile, signer, program: signingProgram(door.path) });
  return { json: { ...json, done: true }, text: `git signs commits and tags with ${key.name}` };
}

interface Application {
  readonly git: GitConfig;
  readonly files: GitFiles;
  readonly changes: readonly SettingChange[];
  readonly signersFile: string;
  readonly signer: string;
  readonly program: string;
}

/** What was there is remembered before anything changes. */
function apply({ git, files, changes, signersFile, signer, program }: Application): void {
  mkdirSync(dirname(files.program), { recursive: true, mode: 0o700 });
  const known = readMemory(files.memory);
  const signers = [...new Set([...(known?.signers ?? []), signer])];
  writeMemory(files.memory, { settings: rememberedSettings(known, changes), signersFile, signers });
  writeFileAtomic(files.program, program, PROGRAM_MODE);
  addSigner(signersFile, signer);
  for (const { name, after } of changes) git.set(name, after);
}

/** A setting that somebody changed since stays as it is. */
function undo(
  context: CliContext,
  { git, files, dryRun }: { readonly git: GitConfig; readonly files: GitFiles; readonly dryRun: boolean },
): CommandResult {
  const memory = readMemory(files.memory);
  if (memory === undefined) return { json: { changes: [], done: false }, text: 'nothing to undo' };
  const changes = memory.settings.flatMap(({ name, before, after }) => {
    const now = git.get(name);
    return now === (after ?? undefined) ? [{ name, before: now, after: before ?? undefined }] : [];
  });
  const plan = changes.map(({ name, before, after }) => settingLine(name, before, after));
  if (dryRun) return { json: { changes, done: false }, text: plan.join('\n') };
  for (const line of plan) context.note(`touchstone: ${line}`);
  for (const { name, after } of changes) git.set(name, after);
  removeSigners(memory.signersFile, memory.signers);
  forget(files.memory);
  if (!isUsedElsewhere(files)) rmSync(files.program, { force: true });
  return { json: { changes, done: true }, text: 'git signs as it did before' };
}

/** Repositories and the global scope share the program; each has a memory of its own. */
function isUsedElsewhere(files: GitFiles): boolean {
  return readdirSync(dirname(files.memory)).some((name) => name.startsWith('before-'));
}

function signersFileOf(
  git: GitConfig,
  files: GitFiles,
  changes: readonly SettingChange[],
  home: string,
): string {
  const name = 'gpg.ssh.allowedSignersFile';
  const planned = changes.find((change) => change.name === name)?.after;
  const file = planned ?? git.inForce(name) ?? files.allowedSigners;
  return file.startsWith('~/') ? join(home, file.slice(2)) : file;
}

function scopeOf(options: OptionValues): GitScope {
  const folder = options.text('local');
  if (options.flag('global') && folder !== undefined) {
    throw new AgentError('usage.invalid', { message: 'options --global and --local: only one can be used' });
  }
  if (options.flag('global')) return 'global';
  return { folder: resolve(folder ?? '.') };
}

function settingLine(name: string, before: string | undefined, after: string | undefined): string {
  const was = before === undefined ? 'was not set' : `was ${before}`;
  return after === undefined ? `unset ${name} (${was})` : `set ${name} = ${after} (${was})`;
}
