// Loaded into a program with --import: it dies by SIGKILL right before its nth rename (KILLED_AT), which is how every file gets its name.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const at = Number(process.env.KILLED_AT);
let count = 0;

function counted(rename) {
  return function (...paths) {
    count += 1;
    if (count === at) process.kill(process.pid, 'SIGKILL');
    return rename.apply(this, paths);
  };
}

fs.renameSync = counted(fs.renameSync);
fs.promises.rename = counted(fs.promises.rename);
syncBuiltinESMExports();
