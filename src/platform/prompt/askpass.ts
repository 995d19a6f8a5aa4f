/** Asks through a program in the manner of SSH_ASKPASS: the question is its argument, the answer its first line of output. */
import { AgentError } from '../../errors/agent-error.js';
import { withPromptProgram, type PromptQuestion, type PromptTalk } from './prompt-program.js';

const MAX_PIN_BYTES = 512;
const LINE_FEED = 0x0a;

/**
 * The PIN that a person entered; the caller overwrites it.
 * @throws AgentError `prompt.cancelled` when the program ends with another status than 0, `prompt.timeout`, `prompt.failed`,
 *   `limits.cancelled`
 */
export function askAskpass(question: PromptQuestion): Promise<Buffer> {
  const { description, problem, prompt } = question;
  const text = [...(problem === undefined ? [] : [`${problem}\n`]), description, '', `${prompt} `].join('\n');
  return withPromptProgram(question, [text], firstLine);
}

function firstLine({ stdin, onData, onEnd }: PromptTalk): Promise<Buffer> {
  const answer = Buffer.alloc(MAX_PIN_BYTES + 1);
  let length = 0;
  return new Promise<Buffer>((resolve, reject) => {
    stdin.end();
    onData((chunk) => {
      if (length + chunk.length > answer.length) reject(failed('it says more than a PIN'));
      else length += chunk.copy(answer, length);
    });
    onEnd((code) => {
      if (code === 0) resolve(Buffer.from(answer.subarray(0, lineLength(answer, length))));
      else
        reject(code === null ? failed('it could not run, or was ended') : new AgentError('prompt.cancelled'));
    });
  }).finally(() => answer.fill(0));
}

function lineLength(answer: Buffer, length: number): number {
  const end = answer.subarray(0, length).indexOf(LINE_FEED);
  return end < 0 ? length : end;
}

function failed(what: string): AgentError {
  return new AgentError('prompt.failed', { message: `asking through the askpass program: ${what}` });
}
