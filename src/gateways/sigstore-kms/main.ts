/** One run of the sigstore KMS plugin. Whatever happens, exactly one JSON document goes to standard output: cosign crashes without. */
import { writeSync } from 'node:fs';
import { asAgentError } from '../../errors/agent-error.js';
import { throughDoor } from '../agent-door.js';
import { readStandardInput } from '../standard-input.js';
import { answerAlone, answerKms } from './methods.js';
import { readKmsRequest, type KmsRequest } from './request.js';

const STDOUT = 1;
const STDERR = 2;
/** Silence that makes people wonder, milliseconds. */
const PATIENCE_MS = 1_500;

/** Runs one method. @param argv without node and script. @returns the exit status */
export async function runSigstoreKms(argv: readonly string[]): Promise<number> {
  const waiting = setTimeout(() => {
    say('waiting for the agent; if the token blinks, touch it');
  }, PATIENCE_MS);
  try {
    const request = readKmsRequest(argv);
    const message = await readMessage(request);
    const result =
      answerAlone(request) ??
      (await throughDoor('sigstore-kms-touchstone', (client) =>
        answerKms({ client, request, message, say }),
      ));
    answer({ [request.method]: result });
    return 0;
  } catch (thrown) {
    const error = asAgentError(thrown);
    answer({ errorMessage: `touchstone: ${error.message} (${error.hint})` });
    return error.row.exit;
  } finally {
    clearTimeout(waiting);
  }
}

/** Other methods are started with the null device. */
function readMessage({ method }: KmsRequest): Promise<Buffer> {
  const hasMessage = method === 'signMessage' || method === 'verifySignature';
  return hasMessage ? readStandardInput() : Promise.resolve(Buffer.alloc(0));
}

function answer(document: object): void {
  const bytes = Buffer.from(JSON.stringify(document));
  for (let offset = 0; offset < bytes.length;) offset += writeSync(STDOUT, bytes, offset);
}

function say(line: string): void {
  writeSync(STDERR, `touchstone: ${line}\n`);
}
