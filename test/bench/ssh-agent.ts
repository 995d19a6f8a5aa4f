/** OpenSSH's ssh-agent over its own socket. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runProgram } from '../support/demo-agent.js';
import type { Bench, Row } from './measurement.js';
import { measurePipeline } from './pipeline.js';
import { openSshConnection, signRequest, type SshAgentConnection } from './ssh-connection.js';

const DEPTHS = [1, 16, 64] as const;
const KEYS = [
  { id: 'p256', label: 'P-256', type: 'ecdsa' },
  { id: 'ed25519', label: 'Ed25519', type: 'ed25519' },
] as const;

/** One signature has to verify, or the figures would be about something else. */
async function checkEd25519(
  connection: SshAgentConnection,
  publicKey: Buffer,
  message: Buffer,
): Promise<void> {
  const frame = await new Promise<Buffer>((resolve, reject) => {
    connection.onAnswer(resolve);
    connection.onFailure(reject);
    connection.send(1);
  });
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey.subarray(-32)]);
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  if (!verify(null, message, key, frame.subarray(-64)))
    throw new Error('ssh-agent: its signature does not verify');
}

async function startAgent(socketPath: string): Promise<ChildProcess> {
  const agent = spawn('ssh-agent', ['-D', '-a', socketPath], { stdio: 'ignore' });
  for (let tries = 0; tries < 250; tries += 1) {
    const listed = await runProgram('ssh-add', ['-l'], {
      environment: { ...process.env, SSH_AUTH_SOCK: socketPath },
    });
    // 1: reached, holds no key; 2: not reached.
    if (listed.status < 2) return agent;
    await delay(20);
  }
  agent.kill('SIGKILL');
  throw new Error('ssh-agent: did not start within 5 s');
}

async function addKey(folder: string, socketPath: string, type: string): Promise<Buffer> {
  const file = path.join(folder, type);
  const made = await runProgram('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', file]);
  if (made.status !== 0) throw new Error(`ssh-keygen: ${made.stderr}`);
  const added = await runProgram('ssh-add', ['-q', file], {
    environment: { ...process.env, SSH_AUTH_SOCK: socketPath },
  });
  if (added.status !== 0) throw new Error(`ssh-add: ${added.stderr}`);
  return Buffer.from(readFileSync(`${file}.pub`, 'utf8').split(' ')[1] ?? '', 'base64');
}

export async function sshAgent(messageBytes: number): Promise<Bench> {
  const folder = mkdtempSync(path.join(tmpdir(), 'touchstone-ssh-'));
  const socketPath = path.join(folder, 'agent.sock');
  const agent = await startAgent(socketPath);
  const connections: SshAgentConnection[] = [];
  const rows: Row[] = [];
  const message = randomBytes(messageBytes);
  for (const key of KEYS) {
    const blob = await addKey(folder, socketPath, key.type);
    const connection = await openSshConnection(socketPath, signRequest(blob, message));
    connections.push(connection);
    if (key.id === 'ed25519') await checkEd25519(connection, blob, message);
    for (const depth of DEPTHS) {
      rows.push({
        id: `ssh-agent-${key.id}-${depth}`,
        label: `ssh-agent, ${key.label}, depth ${depth}`,
        unit: 'sign/s',
        measure: (seconds) => measurePipeline(connection, depth, seconds),
      });
    }
  }
  return {
    rows,
    [Symbol.asyncDispose]: async () => {
      for (const each of connections) each.close();
      agent.kill('SIGTERM');
      await new Promise((resolve) => agent.once('exit', resolve));
      rmSync(folder, { recursive: true });
    },
  };
}
