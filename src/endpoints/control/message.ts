/** JSON-RPC 2.0 requests out of WebSocket messages: one object per text message, no batches, no notifications. */
import { AgentError } from '../../errors/agent-error.js';

export type RequestId = number | string;

export interface RpcRequest {
  readonly id: RequestId;
  readonly method: string;
  readonly params: unknown;
}

export interface BadMessage {
  readonly id: RequestId | null;
  readonly error: AgentError;
}

const MAX_ID_LENGTH = 64;

export function parseMessage(bytes: Buffer, isBinary: boolean): RpcRequest | BadMessage {
  if (isBinary)
    return { id: null, error: new AgentError('rpc.parse', { message: 'the message is binary, not text' }) };
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return { id: null, error: new AgentError('rpc.parse') };
  }
  if (typeof value !== 'object' || value === null) return { id: null, error: new AgentError('rpc.request') };
  if (Array.isArray(value)) {
    const error = new AgentError('rpc.request', {
      message: 'JSON-RPC batches are not taken',
      hint: 'send requests one by one without waiting, or a list in one sign call',
    });
    return { id: null, error };
  }
  const { jsonrpc, id, method, params } = value as Record<string, unknown>;
  if (!isId(id)) {
    return {
      id: null,
      error: new AgentError('rpc.request', {
        message: 'id: a number or a string of up to 64 characters is needed',
      }),
    };
  }
  if (jsonrpc !== '2.0')
    return { id, error: new AgentError('rpc.request', { message: 'jsonrpc: must be "2.0"' }) };
  if (typeof method !== 'string')
    return { id, error: new AgentError('rpc.request', { message: 'method: a string is needed' }) };
  return { id, method, params };
}

function isId(id: unknown): id is RequestId {
  if (typeof id === 'number') return Number.isSafeInteger(id);
  return typeof id === 'string' && id.length > 0 && id.length <= MAX_ID_LENGTH;
}
