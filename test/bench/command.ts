/** Whole processes: the CLI signing one file, and the agent from nothing to its first answer. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { DemoAgent, TOUCHSTONE } from '../support/demo-agent.js';
import type { Bench, Row } from './measurement.js';
import { processTime } from './node-start.js';

const FILE_KEY = 'touchstone/release#ssh';

/** `touchstone sign file` against an agent that runs: start, connect, sign, write, end. */
export async function signCommandRow(agent: DemoAgent, messageBytes: number): Promise<Row> {
  await agent.derive(FILE_KEY);
  const file = path.join(agent.folder, 'message');
  writeFileSync(file, Buffer.alloc(messageBytes, 'm'));
  const argv = [TOUCHSTONE, 'sign', 'file', '--key', FILE_KEY, '-o', `${file}.sig`, file];
  return {
    id: 'cli-sign',
    label: '"touchstone sign file" as a process',
    unit: 'ms',
    measure: () => Promise.resolve({ value: processTime(argv, agent.environment) }),
  };
}

/** `touchstone agent start` until it returns, which is when the agent has answered. */
export async function agentStart(): Promise<Bench> {
  const agent = new DemoAgent();
  await agent.init('bench.example');
  return {
    rows: [
      {
        id: 'agent-start',
        label: '"touchstone agent start", until the agent answers',
        unit: 'ms',
        async measure() {
          const begin = performance.now();
          await agent.must(['agent', 'start', '--allow-root']);
          const value = performance.now() - begin;
          await agent.stop();
          return { value };
        },
      },
    ],
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  };
}
