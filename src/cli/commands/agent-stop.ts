/** `touchstone agent stop`: SIGTERM to whoever listens on the socket, and waiting until it is gone. Works with an agent that hangs. */
import { findListener } from '../../client/connect.js';
import { AgentError, asAgentError } from '../../errors/agent-error.js';
import { connectOptions } from '../agent-session.js';
import type { CommandResult } from '../command.js';
import type { CliContext } from '../context.js';
import { placesOf } from '../places.js';
import { waitUntilGone } from '../process-state.js';

const STOP_MS = 10_000;

/** Stops the agent; says so when none was running. */
export async function agentStop(context: CliContext): Promise<CommandResult> {
  const places = await placesOf(context);
  let pid: number;
  try {
    pid = await findListener(connectOptions(context, places));
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
