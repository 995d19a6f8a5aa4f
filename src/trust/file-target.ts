/** Files of any kind as targets: what is signed of them, and whether bytes are what was signed. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../encoding/canonical-json.js';
import { parseJsonStrict } from '../encoding/json.js';
import { printable } from '../encoding/utf8.js';
import { AgentError } from '../errors/agent-error.js';
import type { Target } from '../formats/notary1/document.js';

const MAX_NAME_BYTES = 1_024;
/** Custom data is loaded by every reader with everything else in the role. Bytes. */
const MAX_CUSTOM_BYTES = 64 * 1024;
const SHOWN_NAME = 120;

/**
 * A name that a file may be signed under: any text of 1 to 1024 bytes that people can see.
 * @throws AgentError `usage.invalid`
 */
export function checkFileTargetName(name: string): string {
  const bytes = Buffer.byteLength(name, 'utf8');
  if (bytes > 0 && bytes <= MAX_NAME_BYTES && printable(name, name.length) === name) return name;
  throw new AgentError('usage.invalid', {
    message: `the name "${printable(name, SHOWN_NAME)}": it has 1 to ${MAX_NAME_BYTES} bytes, and no characters that cannot be seen`,
  });
}

/** Length, SHA-256 and SHA-512 of everything that comes: what the notary client signs of a file. */
export async function fileTarget(chunks: AsyncIterable<Buffer>): Promise<Target> {
  const measure = new Measure();
  for await (const chunk of chunks) measure.add(chunk);
  return measure.target;
}

/**
 * Compares what comes with what was signed, and passes it on. Whoever takes the bytes must not use them before this has returned.
 * @throws AgentError `notary.checksum`, at the latest one chunk past the signed length
 */
export async function requireTarget(
  chunks: AsyncIterable<Buffer>,
  name: string,
  signed: Target,
  passOn: (chunk: Buffer) => void,
): Promise<void> {
  const measure = new Measure();
  for await (const chunk of chunks) {
    measure.add(chunk);
    if (measure.length > signed.length) {
      throw notSigned(name, `it is longer than the ${signed.length} bytes that are signed`);
    }
    passOn(chunk);
  }
  const { length, hashes } = measure.target;
  if (length !== signed.length) throw notSigned(name, `${length} bytes came, ${signed.length} are signed`);
  if (hashes.sha256 !== signed.hashes.sha256) throw notSigned(name, 'its SHA-256 is not the signed one');
  const { sha512 } = signed.hashes;
  if (sha512 !== undefined && hashes.sha512 !== sha512) {
    throw notSigned(name, 'its SHA-512 is not the signed one');
  }
}

/**
 * Custom data of a target, from the JSON that a person wrote.
 * @param what the file, for errors
 * @throws AgentError `usage.invalid` for what cannot stand in metadata: fractions, control characters, `null`, or more than 64 KiB
 */
export function parseCustom(json: string, what: string): unknown {
  const reading = `reading ${what}`;
  const refused = (problem: string): AgentError =>
    new AgentError('usage.invalid', { message: `${reading}: ${problem}` });
  if (Buffer.byteLength(json, 'utf8') > MAX_CUSTOM_BYTES) {
    throw refused(`custom data has at most ${MAX_CUSTOM_BYTES} bytes`);
  }
  const value = parseJsonStrict(json, reading, 'usage.invalid', 'integers');
  if (value === null) throw refused('null is no custom data: readers drop it');
  const written = canonicalJson(value, reading, 'usage.invalid');
  // It stands four levels deep in the metadata, which has to be read again.
  parseJsonStrict(`[[[[${written}]]]]`, reading);
  return value;
}

/** Custom data on one line, for people. Undefined when there is none. */
export function customText(custom: unknown): string | undefined {
  if (custom === undefined) return undefined;
  return canonicalJson(custom, 'showing custom data', 'notary.document');
}

class Measure {
  readonly #sha256 = createHash('sha256');
  readonly #sha512 = createHash('sha512');
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Ends it. */
  get target(): Target & { readonly hashes: { readonly sha512: string } } {
    return {
      hashes: { sha256: this.#sha256.digest('hex'), sha512: this.#sha512.digest('hex') },
      length: this.#length,
    };
  }

  add(chunk: Buffer): void {
    this.#sha256.update(chunk);
    this.#sha512.update(chunk);
    this.#length += chunk.length;
  }
}

function notSigned(name: string, problem: string): AgentError {
  return new AgentError('notary.checksum', {
    message: `verifying "${printable(name, SHOWN_NAME)}": ${problem}`,
    hint: 'do not use the file: get it again, or another copy of it',
    details: { name },
  });
}
