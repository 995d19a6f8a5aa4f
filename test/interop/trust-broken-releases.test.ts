/** A signer breaks `targets/releases` at the real server, and the owner comes out of it so that the stock client goes on reading. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readEnvelope } from '../../src/formats/notary1/reader.js';
import { envelopeOf, signedBytesOf } from '../../src/formats/notary1/writer.js';
import type { TargetsDocument } from '../../src/formats/notary1/document.js';
import { TrustServer } from '../../src/trust/server.js';
import { runProgram, TOUCHSTONE, type CommandResult } from '../support/demo-agent.js';
import { NotaryClient } from '../support/notary-client.js';
import { SoftwareSigner } from '../support/software-signer.js';
import { TerminalSession } from '../support/terminal-session.js';
import { TrustStack, type TrustPublisher } from '../support/trust-stack.js';

const RELEASES = 'targets/releases';
const LAST = Number.MAX_SAFE_INTEGER;

let stack: TrustStack;
let owner: TrustPublisher;
beforeAll(async () => {
  stack = await TrustStack.start();
  owner = await stack.publisher();
});
afterAll(async () => {
  await owner[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

/** A repository of alice and mallory, with v1 released; mallory then stores the releases as `change` makes them. */
async function broken(name: string, change: (document: TargetsDocument) => TargetsDocument): Promise<string> {
  const gun = `localhost:5000/broken/${name}`;
  const mallory = SoftwareSigner.make();
  const file = `${owner.agent.folder}/${name}.pem`;
  writeFileSync(file, mallory.publicPem);
  await owner.must('init', gun);
  await owner.must('signer', 'add', gun, 'alice');
  await owner.must('signer', 'add', gun, 'mallory', '--key', file);
  await owner.sign(`${gun}:v1`, 'a', '--as', 'alice');
  const server = new TrustServer(gun, {
    env: {},
    home: '/nonexistent',
    server: stack.server.url,
    ca: readFileSync(stack.authority.certificate, 'utf8'),
    deadline: Date.now() + 30_000,
  });
  const { document } = readEnvelope((await server.fetch(RELEASES)) ?? Buffer.alloc(0), 'targets');
  const bytes = signedBytesOf(change(document));
  await server.upload(new Map([[RELEASES, envelopeOf(bytes, [mallory.sign(bytes)])]]));
  return gun;
}

const unreadable = (document: TargetsDocument): TargetsDocument => ({
  ...document,
  version: document.version + 40,
  targets: new Map([['__proto__', { hashes: { sha256: 'f'.repeat(64) }, length: 1 }]]),
});

/** Without a terminal, so that nobody is asked. */
function alone(...argv: readonly string[]): Promise<CommandResult> {
  const words = ['-w', process.execPath, TOUCHSTONE, 'trust', ...argv, ...owner.options];
  return runProgram('setsid', words, { environment: owner.agent.environment, timeoutMs: 60_000 });
}

describe('releases that cannot be read', () => {
  it('are made anew when the signer is removed, after the name was given', async () => {
    const gun = await broken('removed', unreadable);
    const refused = await alone('signer', 'remove', gun, 'mallory');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain(`made anew it releases v1 sha256:${'a'.repeat(64)}`);
    expect(refused.stderr).toContain(`--confirm ${gun}`);
    await owner.must('signer', 'remove', gun, 'mallory', '--confirm', gun);
    using notary = new NotaryClient(stack.server);
    expect(await notary.must('list', gun, '-r', RELEASES)).toMatch(/v1 +a{64}/);
    expect(await notary.must('delegation', 'list', gun)).not.toContain('mallory');
    await owner.sign(`${gun}:v2`, 'b', '--as', 'alice');
    expect(await notary.must('list', gun, '-r', RELEASES)).toMatch(/v2 +b{64}/);
  });

  it('are made anew by a person who types the name at the terminal', async () => {
    const gun = await broken('typed', unreadable);
    const words = ['trust', 'signer', 'remove', gun, 'mallory', ...owner.options];
    const line = [process.execPath, TOUCHSTONE, ...words].map((word) => `'${word}'`).join(' ');
    await using session = new TerminalSession(line, owner.agent.environment);
    await session.waitFor('type the name of the repository to do it: ');
    session.type(`${gun}\r`);
    expect(await session.ended()).toBe(0);
    using notary = new NotaryClient(stack.server);
    expect(await notary.must('list', gun)).toMatch(/v1 +a{64}/);
  });
});

describe('releases at the last version', () => {
  it('go, and the owner releases in targets from then on', async () => {
    const gun = await broken('last', (document) => ({ ...document, version: LAST }));
    const refused = await owner.run(
      ...['sign', `${gun}:v2`, '--as', 'alice', '--digest', `sha256:${'b'.repeat(64)}`, '--size', '423'],
    );
    expect(refused.stderr).toContain(`version ${LAST} was published, and there is no higher one`);
    expect(refused.stderr).toContain('touchstone trust heal');
    const told = await owner.run('heal', gun);
    expect(told.stderr).toContain(`not done: ${RELEASES} has the highest version there is`);
    await owner.must('heal', gun, '--confirm', gun);
    using notary = new NotaryClient(stack.server);
    expect(await notary.must('list', gun)).toMatch(/v1 +a{64} .*targets\b/);
    await owner.sign(`${gun}:v2`, 'b', '--as', 'alice');
    expect(await notary.must('list', gun, '-r', 'targets')).toMatch(/v2 +b{64}/);
    expect(await notary.must('lookup', gun, 'v2')).toContain('b'.repeat(64));
  });
});
