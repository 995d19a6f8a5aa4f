/** Programs that ask for a PIN as the test says: an Assuan server or an askpass, in node, in a folder of the test. */
import { readFileSync, writeFileSync } from 'node:fs';
import { TempFolder } from './temp-folder.js';

export class PromptScript implements Disposable {
  readonly #folder = new TempFolder();
  readonly path = this.#folder.join('prompt');
  readonly #heard = this.#folder.join('heard');

  /** `body` is JavaScript after the imports; `hear(text)` writes down. */
  constructor(body: string) {
    writeFileSync(this.#heard, '');
    const head = `#!${process.execPath}\nconst { appendFileSync } = require('node:fs');\n`;
    const hear = `const hear = (text) => appendFileSync(${JSON.stringify(this.#heard)}, text);\n`;
    writeFileSync(this.path, `${head}${hear}${body}`, { mode: 0o700 });
  }

  /** What the script wrote down. */
  get heard(): string {
    return readFileSync(this.#heard, 'utf8');
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

/** An Assuan server: writes down its pid and every line, answers OK, and GETPIN with the next of `answers`, then with the last. */
export function assuanScript(...answers: readonly string[]): PromptScript {
  return new PromptScript(`
    const { readFileSync, existsSync, writeFileSync } = require('node:fs');
    const counter = __filename + '.asked';
    const answers = ${JSON.stringify(answers)};
    hear('pid ' + process.pid + '\\n');
    process.stdout.write('OK hello\\n');
    const lines = require('node:readline').createInterface({ input: process.stdin });
    lines.on('line', (line) => {
      hear(line + '\\n');
      if (line !== 'GETPIN') return process.stdout.write(line.startsWith('OPTION') ? 'ERR 83886254 Unknown option\\n' : 'OK\\n');
      const asked = existsSync(counter) ? Number(readFileSync(counter, 'utf8')) : 0;
      writeFileSync(counter, String(asked + 1));
      process.stdout.write(answers[Math.min(asked, answers.length - 1)]);
    });
  `);
}
