/** Whom a rule of the policy lets in may sign what the rule says, and nothing that is for the owner. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MethodName } from '../../src/protocol/methods.js';
import { connectTo } from '../support/agent-client.js';
import { actsNamed } from '../support/audit-acts.js';
import {
  runProgram,
  startDemoAgent,
  TOUCHSTONE,
  type CommandResult,
  type DemoAgent,
} from '../support/demo-agent.js';
import { PROJECT_ROOT } from '../support/project-root.js';

const STRANGER = 65_534;
const KEY = 'touchstone/release#ssh';

let agent: DemoAgent;

beforeAll(async () => {
  agent = await startDemoAgent({ domain: 'owner.example', configure: (toml) => `allow-uids = [1]\n${toml}` });
  await agent.derive(KEY);
  openParents(path.dirname(agent.socket));
});

afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

/** The folders of the test around the agent's own; that one and the socket the agent opens itself for `allow-uids`. */
function openParents(folder: string): void {
  expect(statSync(folder).mode & 0o777).toBe(0o711);
  expect(statSync(agent.socket).mode & 0o777).toBe(0o666);
  for (let at = path.dirname(folder); at !== '/' && at !== '/tmp'; at = path.dirname(at))
    chmodSync(at, 0o755);
}

function asStranger(...argv: string[]): Promise<CommandResult> {
  return nodeAsStranger(TOUCHSTONE, ...argv);
}

/** `ok`, or the code of the refusal. */
async function callAsStranger(method: MethodName, params: object): Promise<string> {
  const script = `import { connectAgent } from '${PROJECT_ROOT}/dist/client/client.js';
    const [socket, method, params] = process.argv.slice(1);
    const client = await connectAgent({ socket, uid: process.getuid(), timeoutMs: 5000, name: 'stranger' });
    const answer = await client.call(method, JSON.parse(params)).then(() => 'ok', ({ code }) => code);
    console.log(answer);
    client.close();`;
  const argv = ['--input-type=module', '-e', script, agent.socket, method, JSON.stringify(params)];
  return (await nodeAsStranger(...argv)).stdout.trim();
}

function nodeAsStranger(...argv: string[]): Promise<CommandResult> {
  const ids = [`--reuid=${STRANGER}`, `--regid=${STRANGER}`, '--clear-groups'];
  return runProgram('setpriv', [...ids, process.execPath, ...argv], {
    environment: {
      ...process.env,
      TOUCHSTONE_SOCK: agent.socket,
      TOUCHSTONE_STATE: '/nonexistent',
      HOME: '/nonexistent',
    },
  });
}

test('a stranger is refused, let in by a rule, and still not the owner', async () => {
  const before = await asStranger('--json', 'key', 'list');
  expect(before.status).toBe(3);
  expect(before.stdout).toContain('peer.uid-refused');

  const policy = path.join(path.dirname(agent.environment['TOUCHSTONE_CONFIG'] ?? ''), 'policy.toml');
  const rule = `\n[[rule]]\nid = "stranger"\nwho = { uid = ${STRANGER} }\nkinds = ["sshsig:file"]\nkeys = ["*#ssh"]\nallow = true\n`;
  writeFileSync(policy, readFileSync(policy, 'utf8') + rule);
  await expect
    .poll(async () => (await asStranger('key', 'list')).status, { timeout: 45_000, interval: 300 })
    .toBe(0);

  const folder = path.join(path.dirname(path.dirname(agent.socket)), 'stranger');
  mkdirSync(folder);
  const file = path.join(folder, 'file');
  writeFileSync(file, 'hello\n');
  chmodSync(folder, 0o777);
  expect((await asStranger('sign', 'file', '--key', KEY, file)).status).toBe(0);
  for (const argv of [
    ['lock'],
    ['key', 'revoke', KEY, '--reason', 'because I can'],
    ['key', 'derive', 'stranger/app#ssh'],
    ['audit', 'show'],
  ]) {
    const refused = await asStranger('--json', ...argv);
    expect(refused.status, argv.join(' ')).toBe(3);
    expect(refused.stdout, argv.join(' ')).toContain('peer.owner-only');
  }
  // What is published is signed with no other content any more: only who may sign it may say so.
  const content = { repository: 'stranger/app', role: 'targets', version: 1, sha256: '0'.repeat(64) };
  expect(await callAsStranger('guard.published', content)).toBe('policy.denied');
  expect(await callAsStranger('guard.abandon', content)).toBe('peer.owner-only');
  expect(await callAsStranger('guard.forget', { repository: 'stranger/app' })).toBe('peer.owner-only');
  expect(await callAsStranger('guard.show', {})).toBe('ok');
  const methods = actsNamed(agent.stateDir, 'access-refused').map(({ method }) => method);
  expect(methods).toEqual([
    'lock',
    'keys.revoke',
    'keys.derive',
    'audit.query',
    'guard.abandon',
    'guard.forget',
  ]);
});

test('what the owner asks for in vain is in the log as well', async () => {
  const again = await agent.touchstone(['--json', 'token', 'setup', '--pin-file', agent.pinFile]);
  expect(again.stdout).toContain('keyring.exists');
  expect(actsNamed(agent.stateDir, 'setup-refused')).toEqual([{ code: 'keyring.exists' }]);
});

test('a policy that changed is in the log by its digest, and a lease that outlived its front by its name', async () => {
  const digest = (): string => createHash('sha256').update(readFileSync(agent.policyFile)).digest('hex');
  await expect
    .poll(() => actsNamed(agent.stateDir, 'policy').at(-1)?.['sha256'], { timeout: 45_000 })
    .toBe(digest());
  const acts = actsNamed(agent.stateDir, 'policy').length;
  writeFileSync(agent.policyFile, `${readFileSync(agent.policyFile, 'utf8')}nonsense`);
  await expect
    .poll(() => actsNamed(agent.stateDir, 'policy-refused'), { timeout: 45_000 })
    .toEqual([{ code: 'policy.invalid' }]);
  expect(actsNamed(agent.stateDir, 'policy')).toHaveLength(acts);
  const client = await connectTo(agent);
  const { frontPid, leases } = await client.call('status', {});
  process.kill(frontPid, 'SIGKILL');
  await expect
    .poll(() => actsNamed(agent.stateDir, 'lease-found').map(({ lease }) => lease), { timeout: 45_000 })
    .toEqual(leases.map(({ id }) => id));
  client.close();
});
