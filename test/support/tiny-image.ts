/** An image that runs anywhere without a network: one static program that says its name. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { DockerEngine } from './docker-engine.js';
import { TempFolder } from './temp-folder.js';

/** Puts an image into the engine that prints `says` when it runs. @returns the id of the image, `sha256:…` */
export async function importTinyImage(engine: DockerEngine, tag: string, says: string): Promise<string> {
  using folder = new TempFolder();
  writeFileSync(
    folder.join('hello.c'),
    `#include <stdio.h>\nint main(void) { return puts(${JSON.stringify(says)}) < 0; }\n`,
  );
  execFileSync('cc', ['-static', '-Os', '-s', '-o', folder.join('hello'), folder.join('hello.c')], {
    stdio: 'pipe',
  });
  const archive = execFileSync('tar', ['-c', '-C', folder.path, 'hello']);
  const argv = ['import', '--change', 'CMD ["/hello"]', '-', tag];
  const { status, stdout, stderr } = await engine.docker(argv, archive);
  if (status !== 0) throw new Error(`docker import: exit ${status}\n${stderr}\n${engine.tail()}`);
  return stdout.trim();
}
