/** The plugin as a process: configuration and policy read, socket opened, until it is told to stop. */
import { AgentError } from '../../errors/agent-error.js';
import { createLogger, logLevelOf } from '../../platform/log.js';
import { readTrustedFile } from '../../platform/store/trusted-file.js';
import { listenFds, notifySystemd } from '../../platform/systemd.js';
import { parseDockerAuthzConfig, type DockerAuthzConfig } from './config.js';
import { localContainersOf, localDigestsOf } from './engine-query.js';
import { RequestJudge } from './request-judge.js';
import { AuthzServer, type Note } from './server.js';
import { TrustJudge } from './trust-judge.js';

/** Runs until SIGTERM or SIGINT. @throws AgentError why it cannot start: `config.…`, `notary.policy`, `gateway.listen` */
export async function runDockerAuthz(configFile: string): Promise<void> {
  const uid = process.getuid?.() ?? -1;
  const text = readTrustedFile(configFile, uid, 'config.invalid');
  if (text === undefined) {
    throw new AgentError('config.missing', {
      message: `reading ${configFile}: there is no such file`,
      hint: 'write one as docs/integrations/docker-authz.md shows',
    });
  }
  const config = readConfig(text, configFile);
  const images = new TrustJudge(config, uid);
  // A policy with a mistake shows now, and not when the first container starts.
  const { rules } = images.policy();
  const { open, engine, checkDigests, timeoutMs } = config;
  const digests = localDigestsOf(engine, timeoutMs);
  const localDigests = checkDigests ? digests : undefined;
  const existing = { containers: localContainersOf(engine, timeoutMs), digests };
  const logger = createLogger('docker-authz', logLevelOf(process.env));
  const note: Note = (what, facts) => {
    logger.info(facts, what);
  };
  const [inherited] = listenFds(process.env, process.pid);
  await using _server = await AuthzServer.listen(
    inherited ?? config.socket,
    new RequestJudge({ images, open, localDigests, existing }),
    note,
  );
  note('listening', { socket: config.socket, environment: config.environment, rules: rules.length });
  notifySystemd('READY=1', process.env);
  await stopSignal();
  note('stopping', {});
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => {
        resolve();
      });
  });
}

/** The hint of the table is about the configuration of the agent. */
function readConfig(text: string, file: string): DockerAuthzConfig {
  try {
    return parseDockerAuthzConfig(text, file);
  } catch (thrown) {
    if (!(thrown instanceof AgentError) || thrown.code !== 'config.invalid') throw thrown;
    const { message, details = {}, cause } = thrown;
    const hint = 'correct it; every setting is in docs/integrations/docker-authz.md';
    throw new AgentError('config.invalid', { message, hint, details, cause });
  }
}
