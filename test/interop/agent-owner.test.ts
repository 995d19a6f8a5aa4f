/** Whom a rule of the policy lets in may sign what the rule says, and nothing that is for the owner. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectTo } from '../support/agent-client.js';
import { actsNamed } from '../support/audit-acts.js';
import {
  runProgram,
  startDemoAgent,
  TOUCHSTONE,
  type CommandResult,
  type DemoAgent,
} from '../support/demo-agent.js';

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
  const ids = [`--reuid=${STRANGER}`, `--regid=${STRANGER}`, '--clear-groups'];
  return runProgram('setpriv', [...ids, process.execPath, TOUCHSTONE, ...argv], {
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
    .poll(async () => (await asStranger('key', 'list')).status, { timeout: 10_000, interval: 300 })
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
  const methods = actsNamed(agent.stateDir, 'access-refused').map(({ method }) => method);
  expect(methods).toEqual(['lock', 'keys.revoke', 'keys.derive', 'audit.query']);
});

test('what the owner asks for in vain is in the log as well', async () => {
  const again = await agent.touchstone(['--json', 'token', 'setup', '--pin-file', agent.pinFile]);
  expect(again.stdout).toContain('keyring.exists');
  expect(actsNamed(agent.stateDir, 'setup-refused')).toEqual([{ code: 'keyring.exists' }]);
});

test('a policy that changed is in the log by its digest, and a lease that outlived its front by its name', async () => {
  const digest = (): string => createHash('sha256').update(readFileSync(agent.policyFile)).digest('hex');
  await expect
    .poll(() => actsNamed(agent.stateDir, 'policy').at(-1)?.['sha256'], { timeout: 10_000 })
    .toBe(digest());
  const acts = actsNamed(agent.stateDir, 'policy').length;
  writeFileSync(agent.policyFile, `${readFileSync(agent.policyFile, 'utf8')}nonsense`);
  await expect
    .poll(() => actsNamed(agent.stateDir, 'policy-refused'), { timeout: 10_000 })
    .toEqual([{ code: 'policy.invalid' }]);
  expect(actsNamed(agent.stateDir, 'policy')).toHaveLength(acts);
  const client = await connectTo(agent);
  const { frontPid, leases } = await client.call('status', {});
  process.kill(frontPid, 'SIGKILL');
  await expect
    .poll(() => actsNamed(agent.stateDir, 'lease-found').map(({ lease }) => lease), { timeout: 10_000 })
    .toEqual(leases.map(({ id }) => id));
  client.close();
});
