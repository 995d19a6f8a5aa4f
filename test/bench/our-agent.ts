/** Us over our socket, as installed: policy on, audit log on, once for each durability. */
import { startDemoAgent, type DemoAgent } from '../support/demo-agent.js';
import { AgentConnection } from './agent-connection.js';
import type { Bench, Row } from './measurement.js';
import { IMAGE_KIND, IMAGE_REPOSITORY, simpleSigningPayload } from './payload.js';
import { measurePipeline } from './pipeline.js';

const DEPTHS = [1, 16, 64] as const;
const BATCH = 256;
const KEYS = [
  { id: 'p256', label: 'P-256', name: `${IMAGE_REPOSITORY}#cosign` },
  { id: 'ed25519', label: 'Ed25519', name: `${IMAGE_REPOSITORY}#cosign~ed25519` },
] as const;

/** Sets the durability of the audit log in a fresh configuration. */
export function withDurability(toml: string, durability: 'fsync' | 'os'): string {
  const kept = toml.replace(/^durability\s*=.*\n/m, '');
  return /^\[audit\]/m.test(kept)
    ? kept.replace(/^\[audit\]\n/m, `[audit]\ndurability = "${durability}"\n`)
    : `${kept}\n[audit]\ndurability = "${durability}"\n`;
}

/** Depths for one key, or a batch; all on the one connection. */
function keyRows(
  connection: AgentConnection,
  prefix: string,
  payload: Buffer,
  depths: readonly number[],
): Row[] {
  const words = prefix === 'us' ? 'us, durability os' : 'us, durability fsync';
  return KEYS.flatMap((key) => {
    const rows = depths.map((depth): Row => ({
      id: `${prefix}-${key.id}-${depth}`,
      label: `${words}, ${key.label}, depth ${depth}`,
      unit: 'sign/s',
      async measure(seconds) {
        await connection.prepare(key.name, IMAGE_KIND, payload, 1);
        return measurePipeline(connection, depth, seconds);
      },
    }));
    const batch: Row = {
      id: `${prefix}-${key.id}-batch`,
      label: `${words}, ${key.label}, batches of ${BATCH}`,
      unit: 'sign/s',
      async measure(seconds) {
        await connection.prepare(key.name, IMAGE_KIND, payload, BATCH);
        return measurePipeline(connection, 4, seconds, BATCH);
      },
    };
    return prefix === 'us' ? [...rows, batch] : rows;
  });
}

/** Each measurement derives keys nobody has asked for before. */
function derivationRow(connection: AgentConnection): Row {
  let next = 0;
  return {
    id: 'us-derive',
    label: 'us, derive a new key and record it',
    unit: 'keys/s',
    async measure(seconds) {
      const begin = performance.now();
      let made = 0;
      while (performance.now() - begin < seconds * 1000) {
        next += 1;
        made += 1;
        await connection.call('keys.derive', { key: `bench.example/derived/n${next}#cosign` });
      }
      return { value: (made * 1000) / (performance.now() - begin) };
    },
  };
}

/** Opens the socket for SSH clients. */
function withSshDoor(toml: string): string {
  return toml.replace('[ssh-agent]\n', '[ssh-agent]\nenabled = true\n');
}

export interface OurAgent extends Bench {
  readonly agent: DemoAgent;
  readonly connection: AgentConnection;
}

export async function ourAgent(durability: 'fsync' | 'os', messageBytes: number): Promise<OurAgent> {
  const agent = await startDemoAgent({
    domain: 'bench.example',
    configure: (toml) => withSshDoor(withDurability(toml, durability)),
  });
  const connections: AgentConnection[] = [];
  try {
    for (const key of KEYS) await agent.derive(key.name);
    const connection = await AgentConnection.open(agent.socket);
    connections.push(connection);
    const payload = simpleSigningPayload(messageBytes);
    const prefix = durability === 'os' ? 'us' : 'us-fsync';
    const rows = keyRows(connection, prefix, payload, durability === 'os' ? DEPTHS : [64]);
    if (durability === 'os') rows.push(derivationRow(connection));
    return { agent, connection, rows, [Symbol.asyncDispose]: () => closeAll(agent, connections) };
  } catch (failure) {
    await closeAll(agent, connections);
    throw failure;
  }
}

async function closeAll(agent: DemoAgent, connections: readonly AgentConnection[]): Promise<void> {
  for (const each of connections) each.close();
  await agent[Symbol.asyncDispose]();
}
