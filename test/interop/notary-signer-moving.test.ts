/** Beginning with the signer for notary-servers as its page says: certificates from scratch, and repositories of a stock signer. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { BackgroundProgram } from '../support/background-program.js';
import { runProgram, startDemoAgent, TOUCHSTONE } from '../support/demo-agent.js';
import { freePort } from '../support/free-port.js';
import { NotaryClient } from '../support/notary-client.js';
import { NotaryGateway } from '../support/notary-gateway.js';
import { NotaryServer } from '../support/notary-server.js';
import { NotarySigner } from '../support/notary-signer.js';
import { PostgresServer } from '../support/postgres-server.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { refusalOf, SignerClient } from '../support/signer-client.js';
import { TempFolder } from '../support/temp-folder.js';
import { TestAuthority } from '../support/test-authority.js';

const HASH = 'a'.repeat(64);
const PAGE = readFileSync(path.join(PROJECT_ROOT, 'docs/integrations/notary-server.md'), 'utf8');

/** The first block of commands on the page: certificates, then the gateway. */
function firstCommands(): { readonly certificates: string; readonly gateway: string } {
  const block = /```sh\n([^]*?)```/.exec(PAGE)?.[1] ?? '';
  const at = block.indexOf('touchstone gateway');
  return { certificates: block.slice(0, at), gateway: block.slice(at).trim() };
}

it('starts with the commands of the page', async () => {
  const { certificates, gateway } = firstCommands();
  using folder = new TempFolder();
  await using agent = await startDemoAgent();
  const made = await runProgram('sh', ['-e', '-c', certificates], { cwd: folder.path });
  expect(made.status, made.stderr).toBe(0);
  const port = await freePort();
  const argv = gateway.replace('7899', String(port)).split(' ').slice(1);
  await using running = await BackgroundProgram.start({
    program: process.execPath,
    argv: [TOUCHSTONE, ...argv],
    environment: agent.environment,
    cwd: folder.path,
    isReady: (output) => output.includes('"listening"'),
  });
  const files = (name: string): { certificate: string; key: string } => ({
    certificate: folder.join(`${name}.crt`),
    key: folder.join(`${name}.key`),
  });
  const authority = files('signer');
  using own = new SignerClient(port, authority, files('server-client'));
  const wish = { algorithm: 'ecdsa', gun: 'registry.example/acme/app', role: 'snapshot' };
  expect((await own.keys.createKey(wish)).publicKey.length).toBeGreaterThan(0);
  using other = new SignerClient(port, authority, files('signer'));
  await refusalOf(other.keys.createKey(wish));
  expect(running.hasEnded).toBe(false);
});

it('takes over the repositories of a stock signer', async () => {
  const gun = 'registry.example/acme/moving';
  using authority = new TestAuthority();
  await using agent = await startDemoAgent();
  await using database = await PostgresServer.start();
  await using signer = await NotarySigner.start(authority);
  await using before = await NotaryServer.start({ authority, trustService: signer, database: database.url });
  using first = new NotaryClient(before);
  await first.must('init', gun, '-p');
  await first.must('key', 'rotate', gun, 'snapshot', '-r');
  await first.must('addhash', gun, 'v1', '423', '--sha256', HASH, '-p');

  await first.must('key', 'rotate', gun, 'snapshot');
  await using gateway = await NotaryGateway.start({ agent, authority });
  await using after = await NotaryServer.start({ authority, trustService: gateway, database: database.url });
  using client = new NotaryClient(after);
  client.takeKeysOf(first);
  const tooEarly = await client.run('addhash', gun, 'v2', '423', '--sha256', HASH, '-p');
  expect(tooEarly.stderr + tooEarly.stdout).toContain('NotFound');
  expect(tooEarly.stderr + tooEarly.stdout).toContain('notary key rotate');
  await client.must('key', 'rotate', gun, 'timestamp', '-r');
  await client.must('key', 'rotate', gun, 'snapshot', '-r');
  await client.must('publish', gun);
  using reader = new NotaryClient(after);
  expect(await reader.must('list', gun)).toMatch(/v1[^]*v2/);
  // Somebody who read it before goes on as well.
  expect(await first.must('list', gun)).toMatch(/v1[^]*v2/);
}, 120_000);
