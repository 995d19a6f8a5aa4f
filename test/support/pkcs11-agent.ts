/** A demo agent whose PKCS#11 door is open for one key, and the environment that leads programs to it. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { DemoAgent } from './demo-agent.js';

export const DOOR_KEY = 'demo.example/app#cosign';
/** The same key as RFC 7512 names its private object. */
export const DOOR_KEY_URI = 'pkcs11:token=touchstone;object=demo.example%2Fapp%23cosign;type=private';
/** p11-kit's client module as Debian installs it. */
export const CLIENT_MODULE = '/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so';

const RULE = `
[[rule]]
id = "pkcs11"
kinds = ["digest"]
keys = ["${DOOR_KEY}"]
allow = true
blind = true
`;

export interface Pkcs11Agent {
  readonly agent: DemoAgent;
  readonly socket: string;
  /** For programs that load the client module. */
  readonly environment: NodeJS.ProcessEnv;
}

/** @param configure a further change of touchstone.toml */
export async function startPkcs11Agent(
  configure: (toml: string) => string = (toml) => toml,
): Promise<Pkcs11Agent> {
  const agent = new DemoAgent();
  try {
    await agent.init();
    agent.configure((toml) => configure(toml.replace(/^\[pkcs11\]$/m, '[pkcs11]\nenabled = true')));
    appendFileSync(agent.policyFile, RULE);
    await agent.start();
    await agent.setUpToken();
    await agent.derive(DOOR_KEY);
    await agent.unlock(['--blind']);
    const socket = join(agent.socket, '..', 'pkcs11.sock');
    const environment = { ...agent.environment, P11_KIT_SERVER_ADDRESS: `unix:path=${socket}` };
    return { agent, socket, environment };
  } catch (failure) {
    await agent[Symbol.asyncDispose]();
    throw failure;
  }
}

/** openssl.cnf with the pkcs11 engine on the client module, and a name for requests. */
export function opensslConfiguration(): string {
  return [
    'openssl_conf = init',
    ...['[init]', 'engines = engines', '[engines]', 'pkcs11 = pkcs11'],
    ...['[pkcs11]', 'engine_id = pkcs11', `MODULE_PATH = ${CLIENT_MODULE}`, 'init = 0'],
    ...['[req]', 'distinguished_name = name', 'prompt = no', '[name]', 'CN = app.example', ''],
  ].join('\n');
}
