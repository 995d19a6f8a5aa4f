/** Memory of all processes of an agent together, before and after very many signatures. */
import { processTree, sharedMemory } from '../support/process-tree.js';
import type { AgentConnection } from './agent-connection.js';
import { IMAGE_KIND, IMAGE_REPOSITORY, simpleSigningPayload } from './payload.js';
import { measureCount } from './pipeline.js';
import type { BenchReport } from './table.js';

const LIMIT_MB = 150;
/** A tenth of the signatures come first, so that caches and heaps have their working size. */
const WARM_UP = 0.1;
const FLAT_GROWTH = 1.1;
const SAMPLES = 9;
const DEPTH = 64;

export async function measureMemory(
  pid: number,
  connection: AgentConnection,
  messageBytes: number,
  signatures: number,
): Promise<Pick<BenchReport, 'rows' | 'ratios'>> {
  await connection.prepare(`${IMAGE_REPOSITORY}#cosign`, IMAGE_KIND, simpleSigningPayload(messageBytes), 1);
  const samples: number[] = [];
  await measureCount(connection, DEPTH, Math.ceil(signatures * WARM_UP));
  for (let i = 0; i < SAMPLES; i += 1) {
    await measureCount(connection, DEPTH, Math.ceil((signatures * (1 - WARM_UP)) / SAMPLES));
    samples.push(sharedMemory(processTree(pid)) / 1e6);
  }
  // A garbage collector makes single samples jump: the first third is compared with the last.
  const third = Math.floor(SAMPLES / 3);
  const early = Math.max(...samples.slice(0, third));
  const late = Math.max(...samples.slice(-third));
  const highest = Math.max(...samples);
  const words = signatures.toLocaleString('en-US');
  const label = `memory of all agent processes (PSS) over ${words} signatures`;
  return {
    rows: [{ id: 'memory', label, unit: 'MB', value: highest, runs: samples }],
    ratios: [
      {
        label: 'memory of all processes, MB',
        ratio: highest,
        target: `at most ${LIMIT_MB}`,
        met: highest <= LIMIT_MB,
      },
      {
        label: `memory late against early, over ${words} signatures`,
        ratio: late / early,
        target: `at most ${FLAT_GROWTH}`,
        met: late / early <= FLAT_GROWTH,
      },
    ],
  };
}
