/** Entry of the front, started by the keeper with its pipe on fd 3 and the listening sockets from fd 4 on. */
import { dirname, join } from 'node:path';
import { Agent } from '../agent/agent.js';
import { parseConfig, type Config } from '../config/document.js';
import type { Note } from '../endpoints/callers.js';
import { ControlServer } from '../endpoints/control/server.js';
import { pkcs11Server } from '../endpoints/pkcs11/server.js';
import { sshAgentServer } from '../endpoints/ssh-agent/server.js';
import type { Endpoint } from '../endpoints/stream-server.js';
import { hardenThisProcess } from '../platform/hardening.js';
import { createLogger, logLevelOf } from '../platform/log.js';
import { ensurePrivateFolder } from '../platform/store/private-folder.js';
import { readTrustedFile } from '../platform/store/trusted-file.js';
import { AuditLog } from '../state/audit-log.js';
import { packageVersion } from '../cli/version.js';
import { processArguments, runStart, type InheritedSocket } from './arguments.js';

const KEEPER_FD = 3;
/** Time for what is in work when the agent stops, milliseconds. */
const DRAIN_MS = 3_000;

await runStart(async () => {
  hardenThisProcess({ parent: Number(process.env['TOUCHSTONE_PARENT']) });
  const places = processArguments(process.argv.slice(2));
  const logger = createLogger('front', places.logLevel ?? logLevelOf(process.env));
  const note: Note = (what, facts) => {
    logger.info(facts, what);
  };
  const ownerUid = process.getuid?.() ?? 0;
  const config = parseConfig(readTrustedFile(places.config, ownerUid, 'config.invalid') ?? '', places.config);
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
  const parts = { agent, config, stateDir: places.state, note };
  const endpoints = places.listen.map((socket) => endpointOn(socket, parts));
  agent.countConnections(() => endpoints.reduce((sum, endpoint) => sum + endpoint.connections, 0));
  const stop = async (): Promise<void> => {
    for (const endpoint of endpoints) endpoint.stopAccepting();
    await agent.drain(DRAIN_MS);
    for (const endpoint of endpoints) endpoint.end();
    log[Symbol.dispose]();
    process.exit(0);
  };
  for (const endpoint of endpoints) await endpoint.listen();
  for (const { name, path } of places.listen) note('listening', { name, socket: path });
});

/** The door that belongs to a socket. */
function endpointOn(
  socket: InheritedSocket,
  parts: { readonly agent: Agent; readonly config: Config; readonly stateDir: string; readonly note: Note },
): Endpoint {
  const { agent, config, stateDir, note } = parts;
  const options = { agent, note, listenFd: socket.fd, socketPath: socket.path };
  switch (socket.name) {
    case 'control':
      return new ControlServer(options);
    case 'pkcs11':
      return pkcs11Server({ ...options, certificates: join(stateDir, 'certificates') });
    case 'ssh-agent':
      return sshAgentServer({ ...options, certificates: config.sshAgent.certificates });
  }
}
