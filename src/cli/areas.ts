/**
 * The table of contents: first word of the command line → the file with its commands. Only the chosen file is loaded, because
 * start-up time is part of every signature made by a process.
 */
import type { CommandSpec } from './command.js';

interface Area {
  readonly word: string;
  readonly summary: string;
  readonly load: () => Promise<readonly CommandSpec[]>;
}

const agent = async (): Promise<readonly CommandSpec[]> => (await import('./areas/agent.js')).AGENT_COMMANDS;
const keys = async (): Promise<readonly CommandSpec[]> => (await import('./areas/keys.js')).KEY_COMMANDS;
const sign = async (): Promise<readonly CommandSpec[]> => (await import('./areas/sign.js')).SIGN_COMMANDS;
const attest = async (): Promise<readonly CommandSpec[]> => (await import('./areas/sign.js')).ATTEST_COMMANDS;
const verify = async (): Promise<readonly CommandSpec[]> =>
  (await import('./areas/verify.js')).VERIFY_COMMANDS;
const cert = async (): Promise<readonly CommandSpec[]> => (await import('./areas/cert.js')).CERT_COMMANDS;
const guard = async (): Promise<readonly CommandSpec[]> => (await import('./areas/guard.js')).GUARD_COMMANDS;
const records = async (): Promise<readonly CommandSpec[]> =>
  (await import('./areas/records.js')).RECORD_COMMANDS;
const system = async (): Promise<readonly CommandSpec[]> =>
  (await import('./areas/system.js')).SYSTEM_COMMANDS;
const integrate = async (): Promise<readonly CommandSpec[]> =>
  (await import('./areas/integrate.js')).INTEGRATE_COMMANDS;
const gitKey = async (): Promise<readonly CommandSpec[]> =>
  (await import('./areas/integrate.js')).GIT_KEY_COMMANDS;
const gateway = async (): Promise<readonly CommandSpec[]> =>
  (await import('./areas/gateway.js')).GATEWAY_COMMANDS;
const ceremony = async (): Promise<readonly CommandSpec[]> =>
  (await import('./areas/ceremony.js')).CEREMONY_COMMANDS;
const trust = async (): Promise<readonly CommandSpec[]> => [
  ...(await import('./areas/trust.js')).TRUST_READING_COMMANDS,
  ...(await import('./areas/trust-publishing.js')).TRUST_PUBLISHING_COMMANDS,
];
const tuf = async (): Promise<readonly CommandSpec[]> => (await import('./areas/tuf.js')).TUF_COMMANDS;

export const AREAS: readonly Area[] = [
  { word: 'init', summary: 'write the first configuration and policy', load: system },
  { word: 'agent', summary: 'run, start, stop and look at the agent', load: agent },
  { word: 'unlock', summary: 'enter the PIN of a token and load its keys', load: agent },
  { word: 'lock', summary: 'wipe loaded keys and end token sessions', load: agent },
  { word: 'pin', summary: 'keep the PIN of a token in the keychain, or not', load: agent },
  { word: 'token', summary: 'look at tokens, set one up', load: keys },
  { word: 'key', summary: 'list, derive, rotate, revoke, install and export keys', load: keys },
  { word: 'sign', summary: 'sign images, files and DSSE payloads', load: sign },
  { word: 'attest', summary: 'state something about an image and sign it', load: attest },
  { word: 'verify', summary: 'verify signatures, without the agent', load: verify },
  { word: 'cert', summary: 'certificates for keys that sign with Notation', load: cert },
  { word: 'trust', summary: 'Docker Content Trust: sign, approve and verify tags', load: trust },
  {
    word: 'tuf',
    summary: 'TUF repositories in a folder: targets, delegations, thresholds, dates',
    load: tuf,
  },
  { word: 'ceremony', summary: 'root keys of several people, in a room without a network', load: ceremony },
  { word: 'guard', summary: 'which versions of repository metadata are signed and published', load: guard },
  { word: 'audit', summary: 'show and verify the audit log', load: records },
  { word: 'policy', summary: 'check the policy, explain a decision', load: records },
  { word: 'integrate', summary: 'set up other programs to sign through the agent', load: integrate },
  { word: 'git-key', summary: 'print the signing key for git', load: gitKey },
  { word: 'gateway', summary: 'serve programs that ask for signatures over a network', load: gateway },
  { word: 'doctor', summary: 'look for problems and say how to fix them', load: system },
  { word: 'env', summary: 'print the environment that programs need', load: system },
  { word: 'config', summary: 'show the configuration in force', load: system },
  { word: 'paths', summary: 'show where everything is', load: system },
  { word: 'version', summary: 'show versions', load: system },
];
