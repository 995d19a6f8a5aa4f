/**
 * `npm run bench [-- --rounds N] [--seconds N] [--json FILE] [--only WORD]`: starts everything itself, measures all
 * rows in turn, several rounds of that, and prints medians, ratios and JSON.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { diskSync } from './disk.js';
import type { Bench, Measurement, Row } from './measurement.js';
import { nodeCrypto } from './node-crypto.js';
import { nodeStart } from './node-start.js';
import { openSslSpeed } from './openssl-speed.js';
import { judge, type Round } from './ratios.js';
import { rawToken } from './raw-token.js';
import { sshAgent } from './ssh-agent.js';
import { renderRatios, renderRows, summarise } from './table.js';

const MESSAGE_BYTES = 300;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    json: { type: 'string' },
    only: { type: 'string', default: '' },
  },
});

async function openBenches(): Promise<readonly Bench[]> {
  return [
    openSslSpeed(),
    nodeCrypto(MESSAGE_BYTES),
    await sshAgent(MESSAGE_BYTES),
    rawToken(MESSAGE_BYTES),
    diskSync(),
    nodeStart(),
  ];
}

/** All rows once, one after the other, so that a disturbance hits neighbours alike. */
async function measureRound(rows: readonly Row[], seconds: number): Promise<Round> {
  const round = new Map<string, Measurement>();
  for (const row of rows) round.set(row.id, await row.measure(seconds));
  return round;
}

async function main(): Promise<void> {
  const rounds: Round[] = [];
  const benches = await openBenches();
  try {
    const rows = benches.flatMap((bench) => bench.rows).filter((row) => row.id.includes(options.only));
    const count = Number(options.rounds);
    for (let i = 1; i <= count; i += 1) {
      process.stderr.write(`round ${i} of ${count}: ${rows.length} rows\n`);
      rounds.push(await measureRound(rows, Number(options.seconds)));
    }
    const results = rows.map((row) =>
      summarise(
        row,
        rounds.flatMap((round) => round.get(row.id) ?? []),
      ),
    );
    const ratios = judge(rounds);
    const report = {
      format: 'touchstone-bench',
      version: 1,
      machine: { cpu: cpus()[0]?.model ?? 'unknown', cpus: cpus().length, node: process.version },
      messageBytes: MESSAGE_BYTES,
      rounds: count,
      rows: results,
      ratios,
    };
    process.stdout.write(`\n${renderRows(results)}\n\n${renderRatios(ratios)}\n`);
    const json = `${JSON.stringify(report, null, 2)}\n`;
    if (options.json === undefined) process.stdout.write(`\n${json}`);
    else writeFileSync(options.json, json);
  } finally {
    for (const bench of benches) await bench[Symbol.asyncDispose]();
  }
}

await main();
