/** Entry of the signer for notary-servers: what `touchstone gateway notary-signer` turns into. */
import { parseArgs } from 'node:util';
import { AgentError } from '../errors/agent-error.js';
import { runNotarySigner, type GatewayOptions } from '../gateways/notary-signer/run.js';
import { hardenThisProcess } from '../platform/hardening.js';
import { runStart } from './arguments.js';

await runStart(async () => {
  hardenThisProcess();
  await runNotarySigner(optionsOf(process.argv.slice(2)));
  process.exit(0);
});

function optionsOf(args: readonly string[]): GatewayOptions {
  const text = { type: 'string', default: '' } as const;
  const optional = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      listen: text,
      socket: text,
      'tls-cert': text,
      'tls-key': text,
      'client-ca': text,
      server: optional,
      'server-ca': optional,
    },
  });
  return {
    listen: addressOf(values.listen),
    socket: values.socket,
    certificate: values['tls-cert'],
    key: values['tls-key'],
    clientAuthority: values['client-ca'],
    server: values.server,
    serverAuthority: values['server-ca'],
  };
}

/** `HOST:PORT`, with brackets around an IPv6 address. @throws AgentError `usage.invalid` */
function addressOf(text: string): GatewayOptions['listen'] {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host !== undefined && port <= 0xffff) return { host, port };
  throw new AgentError('usage.invalid', {
    message: 'option --listen: write HOST:PORT, for example 127.0.0.1:7899',
  });
}
