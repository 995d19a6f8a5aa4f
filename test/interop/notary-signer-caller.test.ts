/** The signer for notary-servers under a uid of its own: it signs what a rule says, and has only the keys that the owner made. */
import { Code } from '@connectrpc/connect';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { startDemoAgent, type DemoAgent } from '../support/demo-agent.js';
import { NotaryClient } from '../support/notary-client.js';
import { NotaryGateway } from '../support/notary-gateway.js';
import { NotaryServer } from '../support/notary-server.js';
import { PostgresServer } from '../support/postgres-server.js';
import { refusalOf, SignerClient } from '../support/signer-client.js';
import { TestAuthority } from '../support/test-authority.js';

const GATEWAY_UID = 65_534;
const HASH = 'a'.repeat(64);
const GUN = 'registry.example/acme/own-uid';

/** An agent that lets the gateway in, for snapshots and timestamps. */
async function startAgent(): Promise<DemoAgent> {
  const agent = await startDemoAgent({ configure: (toml) => `allow-uids = [${GATEWAY_UID}]\n${toml}` });
  for (let at = path.dirname(path.dirname(agent.socket)); at !== '/' && at !== '/tmp'; at = path.dirname(at))
    chmodSync(at, 0o755);
  const rule = [
    '\n[[rule]]',
    'id = "notary-server"',
    `who = { uid = ${GATEWAY_UID} }`,
    'kinds = ["notary.timestamp", "notary.snapshot"]',
    'keys = ["*#timestamp", "*#snapshot"]',
    'allow = true\n',
  ];
  writeFileSync(agent.policyFile, readFileSync(agent.policyFile, 'utf8') + rule.join('\n'));
  const explain = [
    'policy',
    'explain',
    '--key',
    `${GUN}#snapshot`,
    '--kind',
    'notary.snapshot',
    '--uid',
    String(GATEWAY_UID),
  ];
  await expect.poll(async () => (await agent.touchstone(explain)).stdout).toContain('notary-server');
  return agent;
}

it('publishes and rotates with keys that the owner derived, and says which is missing', async () => {
  using authority = new TestAuthority();
  await using agent = await startAgent();
  await using database = await PostgresServer.start();
  await using plain = await NotaryServer.start({ authority, trustService: 'local', database: database.url });
  const argv = ['--server', plain.url, '--server-ca', authority.certificate];
  chmodSync(path.dirname(authority.certificate), 0o755);
  await using gateway = await NotaryGateway.start({ agent, authority, argv, uid: GATEWAY_UID });
  await using server = await NotaryServer.start({ authority, trustService: gateway, database: database.url });
  using direct = new SignerClient(gateway.port, authority, authority.client('direct'));
  const wish = { algorithm: 'ecdsa', gun: GUN, role: 'timestamp' };

  const missing = await refusalOf(direct.keys.createKey(wish));
  expect(missing.code).toBe(Code.PermissionDenied);
  expect(missing.rawMessage).toContain(`touchstone key derive '${GUN}#timestamp~ecdsa-p256:0'`);
  for (const role of ['timestamp', 'snapshot']) await agent.derive(`${GUN}#${role}`);

  using client = new NotaryClient(server);
  await client.must('init', GUN, '-p');
  await client.must('key', 'rotate', GUN, 'snapshot', '-r');
  await client.must('addhash', GUN, 'v1', '423', '--sha256', HASH, '-p');
  const next = await refusalOf(direct.keys.createKey(wish));
  expect(next.rawMessage).toContain(`touchstone key derive '${GUN}#timestamp~ecdsa-p256:1'`);
  await agent.derive(`${GUN}#timestamp:1`);
  await client.must('key', 'rotate', GUN, 'timestamp', '-r');
  await client.must('addhash', GUN, 'v2', '423', '--sha256', HASH, '-p');
  expect(await client.must('list', GUN)).toMatch(/v1[^]*v2/);
  const later = await refusalOf(direct.keys.createKey(wish));
  expect(later.rawMessage).toContain(`touchstone key derive '${GUN}#timestamp~ecdsa-p256:2'`);
  expect(await agent.must(['audit', 'show', '--key', `${GUN}#timestamp:1`])).toContain(`uid ${GATEWAY_UID}`);
}, 90_000);
