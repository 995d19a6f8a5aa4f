/** What the host of a plugin hands over on standard input: all of it, bounded in size and in silence. */
import { AgentError } from '../errors/agent-error.js';
import { LIMITS } from '../protocol/limits.js';

/** What notation allows on a stream, and more than a message that is hashed here should be. Bytes. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Everything up to the end of the stream. Large messages may take long; a host that neither writes nor closes is given up.
 * @throws AgentError `limits.frame-too-large` above 64 MiB, `limits.deadline` after 30 s of silence, `usage.file`
 */
export async function readStandardInput(): Promise<Buffer> {
  const { stdin } = process;
  const silence = setTimeout(() => {
    stdin.destroy(
      new AgentError('limits.deadline', {
        message: `reading standard input: neither bytes nor its end came for ${LIMITS.defaultDeadlineMs / 1000} s`,
        hint: 'the program that starts this plugin has to close its standard input',
      }),
    );
  }, LIMITS.defaultDeadlineMs);
  try {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of stdin as AsyncIterable<Buffer>) {
      silence.refresh();
      length += chunk.length;
      if (length > MAX_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (thrown) {
    if (thrown instanceof AgentError) throw thrown;
    throw new AgentError('usage.file', { message: 'reading standard input: it broke off', cause: thrown });
  } finally {
    clearTimeout(silence);
  }
}

function tooLarge(): AgentError {
  return new AgentError('limits.frame-too-large', {
    message: `the message is larger than ${MAX_BYTES} bytes`,
  });
}
