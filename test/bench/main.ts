/**
 * `npm run bench [-- --rounds N] [--seconds N] [--json FILE] [--only WORD] [--signatures N]`: starts
 * everything itself, measures all rows in turn, several rounds of that, then memory over N signatures (0: not at
 * all), and prints medians, ratios and JSON.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { diskSync } from './disk.js';
import { compareDoors } from './doors.js';
import { agentStart, signCommandRow } from './command.js';
import { plainBench, type Bench, type Measurement, type Row } from './measurement.js';
import { measureMemory } from './memory.js';
import { onToken } from './on-token.js';
import { ourAgent, type OurAgent } from './our-agent.js';
import { nodeCrypto } from './node-crypto.js';
import { nodeStart } from './node-start.js';
import { openSslSpeed } from './openssl-speed.js';
import { judge, type Round } from './ratios.js';
import { pkcs11 } from './pkcs11.js';
import { plugins } from './plugins.js';
import { rawToken } from './raw-token.js';
import { sshAgent } from './ssh-agent.js';
import { sshDoor } from './ssh-door.js';
import { renderDoors, renderRatios, renderRows, summarise, type BenchReport } from './table.js';

const MESSAGE_BYTES = 300;
const WARM_UP_SECONDS = 0.4;
/** Rows by processes of their own. */
const ALWAYS_COLD = ['openssl', 'us-cosign', 'us-notation'] as const;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    json: { type: 'string' },
    only: { type: 'string', default: '' },
    signatures: { type: 'string', default: '1000000' },
  },
});
const count = Number(options.rounds);

/** Everything that is measured, started; what was started already is closed again when one does not start. */
async function openBenches(opened: Bench[]): Promise<OurAgent> {
  opened.push(openSslSpeed(), nodeCrypto(MESSAGE_BYTES), diskSync());
  opened.push(await sshAgent(MESSAGE_BYTES));
  const us = await ourAgent('os', MESSAGE_BYTES);
  opened.push(us, await sshDoor(us.agent), await plugins(us.agent, MESSAGE_BYTES));
  opened.push(await ourAgent('fsync', MESSAGE_BYTES));
  opened.push(rawToken(MESSAGE_BYTES));
  opened.push(await onToken(MESSAGE_BYTES));
  opened.push(await pkcs11());
  opened.push(nodeStart(), plainBench([await signCommandRow(us.agent, MESSAGE_BYTES)]));
  opened.push(await agentStart());
  return us;
}

/** All rows once, one after the other, so that a disturbance hits neighbours alike. */
async function measureRound(rows: readonly Row[], seconds: number): Promise<Round> {
  const round = new Map<string, Measurement>();
  for (const row of rows) round.set(row.id, await row.measure(seconds));
  return round;
}

async function measureRounds(rows: readonly Row[]): Promise<readonly Round[]> {
  const rounds: Round[] = [];
  // Compilers and caches of all processes get going first; nobody counts that.
  await measureRound(
    rows.filter((row) => row.unit === 'sign/s' && !ALWAYS_COLD.some((id) => row.id.startsWith(id))),
    WARM_UP_SECONDS,
  );
  for (let i = 1; i <= count; i += 1) {
    process.stderr.write(`round ${i} of ${count}: ${rows.length} rows\n`);
    rounds.push(await measureRound(rows, Number(options.seconds)));
  }
  return rounds;
}

async function measureAll(us: OurAgent, rows: readonly Row[]): Promise<BenchReport> {
  const rounds = await measureRounds(rows);
  const results = rows.map((row) =>
    summarise(
      row,
      rounds.flatMap((round) => round.get(row.id) ?? []),
    ),
  );
  const signatures = Number(options.signatures);
  const doors = compareDoors(rounds);
  if (signatures === 0) return { rows: results, ratios: judge(rounds), doors };
  process.stderr.write(`memory: ${signatures} signatures\n`);
  const memory = await measureMemory(await us.agent.pid(), us.connection, MESSAGE_BYTES, signatures);
  return { rows: [...results, ...memory.rows], ratios: [...judge(rounds), ...memory.ratios], doors };
}

function report(results: BenchReport): void {
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', cpus: cpus().length, node: process.version };
  const head = {
    format: 'touchstone-bench',
    version: 1,
    machine,
    messageBytes: MESSAGE_BYTES,
    rounds: count,
  };
  const json = `${JSON.stringify({ ...head, ...results }, null, 2)}\n`;
  process.stdout.write(
    `\n${machine.cpu}, ${machine.cpus} CPUs, Node ${machine.node}; ${MESSAGE_BYTES}-byte messages\n`,
  );
  process.stdout.write(`\n${renderRows(results.rows)}\n\n${renderRatios(results.ratios)}\n`);
  process.stdout.write(`\n${renderDoors(results.doors)}\n`);
  if (options.json === undefined) process.stdout.write(`\n${json}`);
  else writeFileSync(options.json, json);
}

async function main(): Promise<void> {
  const opened: Bench[] = [];
  try {
    const us = await openBenches(opened);
    const rows = opened.flatMap((bench) => bench.rows).filter((row) => row.id.includes(options.only));
    report(await measureAll(us, rows));
  } finally {
    for (const bench of opened.reverse()) await bench[Symbol.asyncDispose]();
  }
}

await main();
