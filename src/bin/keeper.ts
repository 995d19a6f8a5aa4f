/** Entry of the keeper: what `touchstone agent run` turns into. */
import { fileURLToPath } from 'node:url';
import { startKeeper } from '../keeper/start.js';
import { processArguments, runStart } from './arguments.js';

await runStart(() => {
  const { config, state, socket, allowRoot, logLevel } = processArguments(process.argv.slice(2));
  startKeeper({
    configFile: config,
    stateDir: state,
    socket,
    allowRoot,
    logLevel,
    frontEntry: fileURLToPath(new URL('./front.js', import.meta.url)),
    keychainEntry: fileURLToPath(new URL('./keychain.js', import.meta.url)),
    hostEntry: fileURLToPath(new URL('./tokenhost.js', import.meta.url)),
  });
});
