#!/usr/bin/env node
/** The authorization plugin of a Docker Engine; `touchstone gateway docker-authz` turns into it. */
import { parseArgs } from 'node:util';
import { runDockerAuthz } from '../gateways/docker-authz/run.js';
import { hardenThisProcess } from '../platform/hardening.js';
import { runStart } from './arguments.js';

const CONFIG = '/etc/touchstone/docker-authz.toml';

await runStart(async () => {
  const { values } = parseArgs({ options: { config: { type: 'string', default: CONFIG } } });
  hardenThisProcess();
  await runDockerAuthz(values.config);
  process.exit(0);
});
