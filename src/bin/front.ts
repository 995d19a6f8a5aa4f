/** Entry of the front, started by the keeper with its pipe on fd 3 and the listening socket on fd 4. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Agent } from '../agent/agent.js';
import { parseConfig } from '../config/document.js';
import { ControlServer } from '../endpoints/control/server.js';
import { hardenThisProcess } from '../platform/hardening.js';
import { createLogger, logLevelOf } from '../platform/log.js';
import { ensurePrivateFolder } from '../platform/store/private-folder.js';
import { AuditLog } from '../state/audit-log.js';
import { packageVersion } from '../cli/version.js';
import { processArguments, runStart } from './arguments.js';

const KEEPER_FD = 3;
const LISTEN_FD = 4;
/** Time for what is in work when the agent stops, milliseconds. */
const DRAIN_MS = 3_000;

await runStart(async () => {
  hardenThisProcess({ parent: Number(process.env['TOUCHSTONE_PARENT']) });
  const places = processArguments(process.argv.slice(2));
  const logger = createLogger('front', places.logLevel ?? logLevelOf(process.env));
  const note = (what: string, facts: Readonly<Record<string, string | number>>): void => {
    logger.info(facts, what);
  };
  const config = parseConfig(readFileSync(places.config, 'utf8'), places.config);
  const ownerUid = process.getuid?.() ?? 0;
  const folder = join(places.state, 'audit');
  ensurePrivateFolder(folder, 'state');
  const log = AuditLog.open({
    folder,
    headFile: join(places.state, 'audit-head.json'),
    durability: config.audit.durability,
    rotateBytes: config.audit.rotateBytes,
    clock: Date.now,
  });
  const agent = await Agent.start({
    keeperFd: KEEPER_FD,
    config,
    policyFile: join(dirname(places.config), 'policy.toml'),
    stateDir: places.state,
    usageFile: join(places.state, 'usage.json'),
    socket: places.socket,
    version: packageVersion(),
    ownerUid,
    log,
    note,
    onEnd: (reason) => {
      if (reason === 'keeper-lost') process.exit(1);
      void stop();
    },
  });
  const server = new ControlServer({
    agent,
    listenFd: LISTEN_FD,
    socketPath: places.socket,
    note,
  });
  const stop = async (): Promise<void> => {
    server.stopAccepting();
    await agent.drain(DRAIN_MS);
    server.end();
    log[Symbol.dispose]();
    process.exit(0);
  };
  await server.listen();
  note('listening', { socket: places.socket });
});
