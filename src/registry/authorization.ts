/** How a server wants to be asked: basic, or a bearer token from the realm it names (distribution token authentication). */
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';
import type { Challenge } from './challenge.js';
import type { Credential } from './docker-config.js';
import { httpCall } from './http.js';
import type { Service } from './service.js';

const MAX_TOKEN_REPLY = 256 * 1024;
const CLIENT_ID = 'touchstone';

export interface AuthorizationCall {
  readonly service: Service;
  readonly challenge: Challenge;
  readonly credential: Credential | undefined;
  /** `repository:NAME:pull` or `...:pull,push`. */
  readonly scope: string;
  /** The server itself: a realm without TLS is only asked by a server without TLS. */
  readonly server: URL;
  readonly deadline: number;
  readonly ca?: string | undefined;
}

/**
 * The `Authorization` header that answers a challenge.
 * @throws AgentError `denied`, `reply`, `unreachable` of the service
 */
export async function authorize(call: AuthorizationCall): Promise<string> {
  const { challenge, credential, server, service } = call;
  if (challenge.scheme === 'bearer') return `Bearer ${await fetchToken(call)}`;
  if (credential?.kind !== 'password') {
    throw new AgentError(service.denied, {
      message: `the ${service.noun} ${server.host} wants a user and a password`,
    });
  }
  return basic(credential.user, credential.password);
}

async function fetchToken(call: AuthorizationCall): Promise<string> {
  const { credential } = call;
  const realm = realmOf(call);
  const service = call.challenge.parameters.get('service');
  const query = new URLSearchParams({ ...(service === undefined ? {} : { service }), scope: call.scope });
  const common = {
    service: call.service,
    deadline: call.deadline,
    maxBytes: MAX_TOKEN_REPLY,
    ca: call.ca,
  } as const;
  if (credential?.kind === 'identity-token') {
    query.set('grant_type', 'refresh_token');
    query.set('refresh_token', credential.token);
    query.set('client_id', CLIENT_ID);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = Buffer.from(query.toString());
    return tokenOf(call, await httpCall({ ...common, method: 'POST', url: realm, headers, body }));
  }
  for (const [name, value] of query) realm.searchParams.append(name, value);
  const headers: Record<string, string> =
    credential === undefined ? {} : { authorization: basic(credential.user, credential.password) };
  return tokenOf(call, await httpCall({ ...common, method: 'GET', url: realm, headers }));
}

function realmOf(call: AuthorizationCall): URL {
  const text = call.challenge.parameters.get('realm') ?? '';
  const realm = URL.canParse(text) ? new URL(text) : undefined;
  const isSafe =
    realm?.protocol === 'https:' || (realm?.protocol === 'http:' && call.server.protocol === 'http:');
  if (realm === undefined || !isSafe) {
    throw new AgentError(call.service.denied, {
      message: `the ${call.service.noun} ${call.server.host} sends callers to a place for tokens that is not safe`,
    });
  }
  return realm;
}

function tokenOf(call: AuthorizationCall, reply: { readonly status: number; readonly body: Buffer }): string {
  if (reply.status !== 200) {
    throw new AgentError(call.service.denied, {
      message: `the ${call.service.noun} ${call.server.host} gave no token (status ${reply.status})`,
      details: { status: reply.status },
    });
  }
  const answer = parseJsonStrict(reply.body, 'reading a token', call.service.reply) as Record<
    string,
    unknown
  > | null;
  const token = answer?.['token'] ?? answer?.['access_token'];
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new AgentError(call.service.reply, {
    message: 'reading a token: there is none in the answer',
  });
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
}
