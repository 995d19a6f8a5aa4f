/** `touchstone agent stop`: SIGTERM to the keeper, and waiting until it is gone. Works with an agent that hangs. */
import { readFile } from 'node:fs/promises';
import { connectAgent } from '../../client/client.js';
import { findListener } from '../../client/connect.js';
import { AgentError, asAgentError } from '../../errors/agent-error.js';
import { connectOptions } from '../agent-session.js';
import type { CommandResult } from '../command.js';
import type { CliContext } from '../context.js';
import type { AgentPaths } from '../../platform/paths.js';
import { placesOf } from '../places.js';
import { waitUntilGone } from '../process-state.js';
import { packageVersion } from '../version.js';

const STOP_MS = 10_000;
const HELLO_MS = 2_000;

/** Stops the agent; says so when none was running. */
export async function agentStop(context: CliContext): Promise<CommandResult> {
  const places = await placesOf(context);
  let pid: number;
  try {
    pid = await keeperPid(context, places);
  } catch (thrown) {
    const error = asAgentError(thrown);
    if (error.code !== 'agent.unreachable') throw error;
    return { json: { stopped: false, socket: places.socket }, text: 'no agent was running' };
  }
  terminate(pid);
  if (!(await waitUntilGone(pid, context.flags.timeoutMs ?? STOP_MS))) {
    throw new AgentError('limits.deadline', {
      message: `stopping the agent: process ${pid} has not ended`,
      hint: `look at it with "ps ${pid}"; "kill -9 ${pid}" ends it for sure`,
    });
  }
  return { json: { stopped: true, pid, socket: places.socket }, text: `agent stopped: pid ${pid}` };
}

/** The keeper says its pid; one whose front hangs wrote it into the lock file beside the socket. */
async function keeperPid(context: CliContext, places: AgentPaths): Promise<number> {
  const options = connectOptions(context, places);
  await findListener(options);
  try {
    const name = `touchstone-cli/${packageVersion()}`;
    using client = await connectAgent({ ...options, timeoutMs: Math.min(HELLO_MS, options.timeoutMs), name });
    return client.keeperPid;
  } catch (thrown) {
    const text = await readFile(`${places.socket}.lock`, 'utf8').catch(() => '');
    if (/^\d+\n$/.test(text)) return Number(text);
    throw thrown;
  }
}

function terminate(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ESRCH') return;
    throw new AgentError('agent.impostor', {
      message: `stopping the agent: process ${pid} belongs to another user`,
      hint: 'stop it as that user, or through its service manager',
      cause,
    });
  }
}
