/** Folders and files of the agent: who owns them, who can write them, is there room. */
import { statfsSync, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import type { AgentPaths } from '../../platform/paths.js';
import { fail, ok, warn, type Check } from './check.js';

/** Below this the audit log will soon stop all signing. Bytes. */
const LITTLE_SPACE = 64 * 1024 * 1024;

const NOTHING_FOR_OTHERS = 0o077;
/** Others may step into the folder of a socket that allow-uids opens to them. */
const NO_WRITING = 0o022;

/** State folder, socket folder, configuration and policy file. */
export function checkPlaces(places: AgentPaths, uid: number): readonly Check[] {
  return [
    checkFolder('state folder', places.stateDir, uid, NOTHING_FOR_OTHERS),
    checkFolder('socket folder', dirname(places.socket), uid, NO_WRITING),
    checkNotWritable('configuration', places.configFile, uid),
    checkNotWritable('policy file', places.policyFile, uid),
    ...checkSpace(places.stateDir),
  ];
}

function checkFolder(name: string, folder: string, uid: number, forbidden: number): Check {
  const facts = factsOf(folder);
  if (facts === undefined) return ok(name, `${folder} will be made when it is needed`);
  if (facts.uid !== uid) return fail(name, `${folder} belongs to uid ${facts.uid}`, `chown ${uid} ${folder}`);
  if ((facts.mode & forbidden) !== 0) return fail(name, `${folder} is open to others`, `chmod 700 ${folder}`);
  return ok(name, folder);
}

function checkNotWritable(name: string, file: string, uid: number): Check {
  const facts = factsOf(file);
  if (facts === undefined) return warn(name, `there is no ${file}`, 'run "touchstone init"');
  if (facts.uid !== uid && facts.uid !== 0) {
    return fail(name, `${file} belongs to uid ${facts.uid}`, `chown ${uid} ${file}`);
  }
  if ((facts.mode & 0o022) !== 0) return fail(name, `others can write ${file}`, `chmod go-w ${file}`);
  return ok(name, file);
}

function checkSpace(folder: string): readonly Check[] {
  try {
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    const words = `${Math.floor(free / 1024 / 1024)} MiB free for the audit log`;
    if (free >= LITTLE_SPACE) return [ok('disk', words)];
    return [warn('disk', words, 'free some space: without room for its log the agent signs nothing')];
  } catch {
    return [];
  }
}

function factsOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}
