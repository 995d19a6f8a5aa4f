/**
 * Signing on a token through us: a leaf is installed into a second token, the agent restarts, and only that second
 * token is unlocked. Every signature is made by the token and verified before it leaves.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DemoAgent, runProgram } from '../support/demo-agent.js';
import { AgentConnection } from './agent-connection.js';
import type { Bench } from './measurement.js';
import { withDurability } from './our-agent.js';
import { IMAGE_KIND, IMAGE_REPOSITORY, simpleSigningPayload } from './payload.js';
import { measurePipeline } from './pipeline.js';
import { writeSoftHsmStore } from './softhsm-store.js';

const KEY = `${IMAGE_REPOSITORY}#cosign`;
const SECOND = 'second';
const SECOND_PIN = '13572468';

/** Initialises the second token in a store of its own; answers its table for touchstone.toml. */
async function makeSecondToken(folder: string): Promise<string> {
  const store = writeSoftHsmStore(folder);
  const made = await runProgram(
    'softhsm2-util',
    ['--init-token', '--free', '--label', SECOND, '--so-pin', SECOND_PIN, '--pin', SECOND_PIN],
    { environment: { ...process.env, SOFTHSM2_CONF: store.configuration } },
  );
  if (made.status !== 0) throw new Error(`softhsm2-util: ${made.stderr}${made.stdout}`);
  return [
    '\n[[token]]',
    `name = "${SECOND}"`,
    `module = "${store.module}"`,
    `uri = "pkcs11:token=${SECOND}"`,
    `env = { SOFTHSM2_CONF = "${store.configuration}" }\n`,
  ].join('\n');
}

async function moveKey(agent: DemoAgent): Promise<void> {
  const first = /^name = "([^"]+)"/m.exec(agent.configuration())?.[1] ?? '';
  const secondPin = agent.writePin('second-pin', SECOND_PIN);
  await agent.start();
  await agent.must(['token', 'setup', '--token', first, '--pin-file', agent.pinFile]);
  await agent.derive(KEY);
  await agent.must(['key', 'install', KEY, '--token', SECOND, '--pin-file', secondPin]);
  await agent.stop();
  await agent.start();
  await agent.must(['unlock', '--token', SECOND, '--pin-file', secondPin]);
}

export async function onToken(messageBytes: number): Promise<Bench> {
  const folder = mkdtempSync(path.join(tmpdir(), 'touchstone-second-'));
  const agent = new DemoAgent();
  const close = async (): Promise<void> => {
    await agent[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  };
  try {
    const second = await makeSecondToken(folder);
    await agent.init('bench.example');
    agent.configure((toml) => withDurability(toml, 'os') + second);
    await moveKey(agent);
    const connection = await AgentConnection.open(agent.socket);
    await connection.prepare(KEY, IMAGE_KIND, simpleSigningPayload(messageBytes), 1);
    return {
      rows: [
        {
          id: 'us-token-64',
          label: 'us, on the SoftHSM token, verified, P-256, depth 64',
          unit: 'sign/s',
          measure: (seconds) => measurePipeline(connection, 64, seconds),
        },
      ],
      [Symbol.asyncDispose]: async () => {
        connection.close();
        await close();
      },
    };
  } catch (failure) {
    await close();
    throw failure;
  }
}
