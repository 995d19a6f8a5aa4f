/** Words of `gateway`. */
import type { CommandSpec } from '../command.js';

export const GATEWAY_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['gateway', 'notary-signer'],
    summary: 'be the signer of a notary-server: its timestamp and snapshot keys are keys of the agent',
    options: [
      { flags: '--listen <host:port>', summary: 'where the notary-server finds it (default 127.0.0.1:7899)' },
      { flags: '--tls-cert <file>', summary: 'certificate of the gateway, PEM', required: true },
      { flags: '--tls-key <file>', summary: 'its key, PEM, readable by you alone', required: true },
      {
        flags: '--client-ca <file>',
        summary: 'authority of the notary-server that may call, PEM',
        required: true,
      },
      {
        flags: '--server <url>',
        summary: 'the notary-server: it is asked what it stored before a version gets a second content',
      },
      { flags: '--server-ca <file>', summary: 'authority of its certificate, PEM' },
    ],
    examples: [
      'touchstone gateway notary-signer --tls-cert signer.crt --tls-key signer.key --client-ca ca.crt',
      'touchstone gateway notary-signer --listen 10.0.0.5:7899 --tls-cert signer.crt --tls-key signer.key --client-ca ca.crt',
    ],
    load: async () => (await import('../commands/gateway-notary-signer.js')).gatewayNotarySigner,
  },
  {
    path: ['gateway', 'docker-authz'],
    summary: 'be the authorization plugin of a Docker Engine: only images start that the team rule takes',
    options: [{ flags: '--config <file>', summary: 'settings (default /etc/touchstone/docker-authz.toml)' }],
    examples: [
      'touchstone gateway docker-authz',
      'touchstone gateway docker-authz --config /etc/touchstone/docker-authz.toml',
    ],
    load: async () => (await import('../commands/gateway-docker-authz.js')).gatewayDockerAuthz,
  },
];
