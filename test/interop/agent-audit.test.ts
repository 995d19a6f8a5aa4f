/** The log of a real agent: rotated, sealed, and every change to it found and named by the command line. */
import { copyFileSync, cpSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditReport } from '../../src/audit/verify.js';
import { fileStatement } from '../support/agent-client.js';
import { auditLines } from '../support/audit-acts.js';
import { DemoAgent } from '../support/demo-agent.js';
import { outcomeOf, RawConnection } from '../support/raw-connection.js';
import { TempFolder } from '../support/temp-folder.js';

const KEY = 'touchstone/release#ssh';
const { kind, payload } = fileStatement(KEY, 'x');
const REQUEST = { key: KEY, kind, payload: Buffer.from(payload).toString('base64') };

async function sign(agent: DemoAgent, calls: number, batch: number): Promise<void> {
  using client = await RawConnection.open(agent.socket);
  const requests = Array.from({ length: batch }, () => REQUEST);
  for (let call = 0; call < calls; call += 1)
    expect(outcomeOf(await client.call('sign', { requests }))).toBe('ok');
}

async function verdict(
  agent: DemoAgent,
  argv: readonly string[] = [],
): Promise<AuditReport & { readonly exit: number }> {
  const result = await agent.touchstone(['audit', 'verify', '--json', ...argv]);
  return { ...(JSON.parse(result.stdout) as AuditReport), exit: result.status };
}

describe.each(['fsync', 'os'])('the log with durability "%s"', (durability) => {
  let agent: DemoAgent;
  let folder: string;

  beforeAll(async () => {
    agent = new DemoAgent();
    await agent.init();
    agent.configure((toml) =>
      toml
        .replace('# durability = "fsync"', `durability = "${durability}"`)
        .replace('# rotate-bytes = 67108864', 'rotate-bytes = 65536'),
    );
    await agent.start();
    await agent.setUpToken();
    await agent.derive(KEY);
    folder = path.join(agent.stateDir, 'audit');
    await sign(agent, 30, 100);
    await agent
      .must(['sign', 'image', '--key', KEY, '--digest', `sha256:${'0'.repeat(64)}`, '--reference', 'a/b'])
      .catch(() => undefined);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
  });

  it('is sealed at least every thousand lines, rotated, and verifies', async () => {
    const checkpoints = auditLines(agent.stateDir).flatMap(({ type }, index) =>
      type === 'checkpoint' ? [index] : [],
    );
    expect(checkpoints.length).toBeGreaterThanOrEqual(3);
    let previous = -1;
    for (const index of checkpoints) {
      // Lines of a group that is on its way may follow the thousandth.
      expect(index - previous).toBeLessThan(1200);
      previous = index;
    }
    expect(readdirSync(folder).length).toBeGreaterThan(2);
    const report = await verdict(agent);
    expect(report).toMatchObject({ ok: true, refused: 1, exit: 0 });
    // The agent's own signatures over the keyring count too.
    expect(report.signed).toBeGreaterThanOrEqual(3000);
  });

  it('is sealed when the agent is locked, and when it stops', async () => {
    await sign(agent, 1, 3);
    await agent.must(['lock']);
    expect((await verdict(agent)).unsealed).toBe(0);
    await agent.unlock();
    await sign(agent, 1, 3);
    expect(await agent.stop()).toEqual([]);
    const report = await verdict(agent);
    expect(report).toMatchObject({ ok: true, unsealed: 0, exit: 0 });
  });

  it('is not believed after any change, and the line is named', async () => {
    const files = readdirSync(folder).sort();
    const [, second = ''] = files;
    const source = readFileSync(path.join(folder, second));
    const lines = source.toString('utf8').trimEnd().split('\n');
    const changes: [what: string, file: string, line: number, text: Buffer | string][] = [];
    for (const at of [40, Math.floor(source.length / 2), source.length - 20]) {
      const flipped = Buffer.from(source);
      flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
      const line = source.subarray(0, at).toString('latin1').split('\n').length;
      changes.push([`byte ${at}`, second, line, flipped]);
    }
    changes.push(['dropped', second, 11, [...lines.slice(0, 10), ...lines.slice(11), ''].join('\n')]);
    const [tenth = '', eleventh = ''] = lines.slice(10, 12);
    changes.push([
      'swapped',
      second,
      11,
      [...lines.slice(0, 10), eleventh, tenth, ...lines.slice(12), ''].join('\n'),
    ]);
    changes.push(['doubled', second, 12, [...lines.slice(0, 11), tenth, ...lines.slice(11), ''].join('\n')]);
    for (const [what, file, line, text] of changes) {
      using copy = new TempFolder();
      cpSync(folder, copy.path, { recursive: true });
      expect(await verdict(agent, ['--dir', copy.path])).toMatchObject({ ok: true, exit: 0 });
      writeFileSync(path.join(copy.path, file), text);
      const result = await agent.touchstone(['audit', 'verify', '--dir', copy.path]);
      expect([what, result.status]).toEqual([what, 6]);
      expect(result.stdout).toContain('DOES NOT VERIFY');
      const named = [...result.stdout.matchAll(/^problem: ([^:]+):(\d+): /gm)].map(([, at, n]) => [
        at,
        Number(n),
      ]);
      // The change itself, or the neighbour whose hash it holds or is held by.
      expect(named[0]?.[0]).toBe(file);
      expect([line - 1, line, line + 1], result.stdout).toContain(named[0]?.[1]);
      const numbers = named.map(([, number]) => number);
      expect(numbers.includes(line) || numbers.includes(line + 1), result.stdout).toBe(true);
    }
  });

  it('is not believed without a file, or with its end cut off', async () => {
    const files = readdirSync(folder).sort();
    const newest = path.join(folder, files.at(-1) ?? '');
    using copy = new TempFolder();
    for (const name of files.filter((_, index) => index !== 1))
      copyFileSync(path.join(folder, name), copy.join(name));
    expect((await verdict(agent, ['--dir', copy.path])).exit).toBe(6);
    const whole = readFileSync(newest);
    try {
      // A whole number of lines is missing: only the remembered head can tell.
      const cut = whole.subarray(0, whole.lastIndexOf('\n', whole.length - 2) + 1);
      truncateSync(newest, cut.length);
      expect((await verdict(agent)).exit).toBe(6);
      const started = await agent.touchstone(['agent', 'start', '--allow-root']);
      expect(started.status).not.toBe(0);
      expect(started.stderr).toMatch(/holds \d+ bytes of whole lines, it held \d+\n.*find out who cut it/);
      const doctor = await agent.touchstone(['doctor']);
      expect(doctor.stdout).toMatch(/^fail +audit log: /m);
      // Nothing was repaired behind anybody's back.
      expect(readFileSync(newest)).toEqual(cut);
    } finally {
      writeFileSync(newest, whole);
    }
    await agent.start();
    await agent.unlock();
    await sign(agent, 1, 1);
    expect((await verdict(agent)).ok).toBe(true);
    await agent.stop();
  });

  it('carries on after a torn last line, and says so in the log', async () => {
    const newest = path.join(folder, readdirSync(folder).sort().at(-1) ?? '');
    writeFileSync(newest, '{"seq":99999999,"ti', { flag: 'a' });
    await agent.start();
    expect(auditLines(agent.stateDir).some(({ act }) => act === 'audit.cut')).toBe(true);
    expect((await verdict(agent)).exit).toBe(0);
    await agent.stop();
  });
});
