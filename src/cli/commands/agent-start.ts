/** `touchstone agent start`: the agent in the background, and proof that it answers. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectAgent } from '../../client/client.js';
import { AgentError, asAgentError } from '../../errors/agent-error.js';
import type { AgentPaths } from '../../platform/paths.js';
import { connectOptions } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { placesOf } from '../places.js';
import { packageVersion } from '../version.js';
import { agentOptionsOf } from './agent-run.js';

const START_MS = 10_000;
const POLL_MS = 30;

/** Starts the agent unless one answers already. */
export async function agentStart(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const agentOptions = agentOptionsOf(context, invocation.options);
  const places = await placesOf(context);
  const deadline = Date.now() + (context.flags.timeoutMs ?? START_MS);
  // An agent that is starting listens before it answers, on a busy machine for seconds.
  const running = await agentPid(context, places, deadline - Date.now());
  if (running !== undefined) {
    context.note(`touchstone: an agent already runs on ${places.socket}`);
    return started(running, places.socket, false);
  }
  const log = join(places.stateDir, 'agent.log');
  const child = spawnAgent(context, places, log, agentOptions);
  // Without a listener a failed spawn would end this process; waiting notices it by the missing pid.
  child.on('error', () => undefined);
  const pid = await waitForAnswer(context, places, deadline, child);
  if (pid === undefined) throw await startError(log, hasEnded(child));
  child.unref();
  return started(pid, places.socket, true);
}

function started(pid: number, socket: string, fresh: boolean): CommandResult {
  return {
    json: { pid, socket, started: fresh },
    text: `agent ${fresh ? 'started' : 'running'}: pid ${pid}, socket ${socket}`,
  };
}

/** Undefined when nobody listens; every other problem is the caller's to hear. */
async function agentPid(
  context: CliContext,
  places: AgentPaths,
  timeoutMs: number,
): Promise<number | undefined> {
  try {
    const name = `touchstone-cli/${packageVersion()}`;
    using client = await connectAgent({ ...connectOptions(context, places), timeoutMs, name });
    return client.keeperPid;
  } catch (thrown) {
    const error = asAgentError(thrown);
    if (error.code === 'agent.unreachable' || error.code === 'agent.stopping') return undefined;
    throw error;
  }
}

function spawnAgent(
  context: CliContext,
  places: AgentPaths,
  log: string,
  agentOptions: readonly string[],
): ChildProcess {
  mkdirSync(places.stateDir, { recursive: true, mode: 0o700 });
  const output = openSync(log, 'w', 0o600);
  try {
    return spawn(
      process.execPath,
      [context.program, 'agent', 'run', '--socket', places.socket, ...agentOptions],
      {
        cwd: '/',
        detached: true,
        stdio: ['ignore', output, output],
        env: context.env,
      },
    );
  } finally {
    closeSync(output);
  }
}

async function waitForAnswer(
  context: CliContext,
  places: AgentPaths,
  deadline: number,
  child: ChildProcess,
): Promise<number | undefined> {
  while (Date.now() < deadline) {
    const pid = await agentPid(context, places, Math.max(1, deadline - Date.now()));
    if (pid !== undefined) return pid;
    // One more look after the end: it may have lost the race against another start, whose agent then answers.
    if (hasEnded(child)) return await agentPid(context, places, Math.max(1, deadline - Date.now()));
    await sleep(POLL_MS);
  }
  return undefined;
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

/** The last error the agent wrote, as ours; the whole story is in the log. */
async function startError(log: string, exited: boolean): Promise<AgentError> {
  const text = await readFile(log, 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line !== '');
  const why = lines
    .findLast((line) => line.startsWith('touchstone: error: '))
    ?.slice('touchstone: error: '.length);
  const hint = lines.findLast((line) => line.startsWith('hint: '))?.slice('hint: '.length);
  return new AgentError('agent.start-failed', {
    message: `starting the agent: ${why ?? (exited ? 'it ended at once' : 'it does not answer')}`,
    hint: hint ?? `see ${log}, or run "touchstone agent run"`,
    details: { log },
  });
}
