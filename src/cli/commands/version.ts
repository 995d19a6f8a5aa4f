/** `touchstone version`. */
import { PROTOCOL_VERSION } from '../../protocol/limits.js';
import type { CommandResult } from '../command.js';
import { packageVersion } from '../version.js';

/** Versions of what is installed; works without an agent. */
export function version(): Promise<CommandResult> {
  const json = { version: packageVersion(), protocol: PROTOCOL_VERSION, node: process.versions.node };
  return Promise.resolve({
    json,
    text: `touchstone ${json.version} (protocol ${json.protocol}, node ${json.node})`,
  });
}
