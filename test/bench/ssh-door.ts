/** Us through the SSH agent socket: the same load as for ssh-agent, over the bytes that git has signed. */
import path from 'node:path';
import { runProgram, type DemoAgent } from '../support/demo-agent.js';
import type { Bench, Row } from './measurement.js';
import { measurePipeline } from './pipeline.js';
import { openSshConnection, signRequest, sshString, type SshAgentConnection } from './ssh-connection.js';

const DEPTHS = [1, 16, 64] as const;
const KEYS = [
  { id: 'p256', label: 'P-256', name: 'bench.example/git#ssh' },
  { id: 'ed25519', label: 'Ed25519', name: 'bench.example/git#ssh~ed25519' },
] as const;

/** What git has signed: SSHSIG over a SHA-512, 95 bytes. */
function gitBytes(): Buffer {
  const fields = ['git', '', 'sha512', Buffer.alloc(64, 7)].map((field) => sshString(Buffer.from(field)));
  return Buffer.concat([Buffer.from('SSHSIG'), ...fields]);
}

/** Key blobs by comment. */
async function offeredKeys(socket: string): Promise<ReadonlyMap<string, Buffer>> {
  const environment = { ...process.env, SSH_AUTH_SOCK: socket };
  const { stdout } = await runProgram('ssh-add', ['-L'], { environment });
  return new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([, blob = '', comment = '']) => [comment, Buffer.from(blob, 'base64')]),
  );
}

/** @param agent with the door enabled; closed by its owner */
export async function sshDoor(agent: DemoAgent): Promise<Bench> {
  for (const key of KEYS) await agent.derive(key.name);
  const socket = path.join(path.dirname(agent.socket), 'ssh-agent.sock');
  const blobs = await offeredKeys(socket);
  const data = gitBytes();
  const connections: SshAgentConnection[] = [];
  const rows: Row[] = [];
  for (const key of KEYS) {
    const blob = blobs.get(key.name);
    if (blob === undefined) throw new Error(`the SSH socket does not offer ${key.name}`);
    const connection = await openSshConnection(socket, signRequest(blob, data));
    connections.push(connection);
    for (const depth of DEPTHS) {
      rows.push({
        id: `us-ssh-${key.id}-${depth}`,
        label: `us through the SSH socket, ${key.label}, depth ${depth}`,
        unit: 'sign/s',
        measure: (seconds) => measurePipeline(connection, depth, seconds),
      });
    }
  }
  return {
    rows,
    [Symbol.asyncDispose]: () => {
      for (const each of connections) each.close();
      return Promise.resolve();
    },
  };
}
