/** One run of the Notation plugin: an answer on standard output, or an error document on standard error and a status that is not 0. */
import { writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { CertificateFolder } from '../../client/certificate-folder.js';
import type { AgentClient } from '../../client/client.js';
import { findPlaces } from '../../client/places.js';
import { signStatements } from '../../client/signer.js';
import { encodeBase64 } from '../../encoding/base64.js';
import { AgentError } from '../../errors/agent-error.js';
import { NOTATION_KIND } from '../../formats/notation.js';
import type { KeyInfo } from '../../protocol/methods.js';
import { requestMs, throughDoor } from '../agent-door.js';
import { keyOfReference } from '../key-reference.js';
import { readStandardInput } from '../standard-input.js';
import { errorDocument, PluginError } from './plugin-error.js';
import { CONTRACT, KEY_SPEC, readKeyRequest, readPayload } from './request.js';

const STDOUT = 1;
const STDERR = 2;

/** Runs one command. @param argv without node and script. @returns the exit status */
export async function runNotation(argv: readonly string[], version: string): Promise<number> {
  try {
    writeAll(STDOUT, JSON.stringify(await answer(argv[0], version)));
    return 0;
  } catch (thrown) {
    writeAll(STDERR, JSON.stringify(errorDocument(thrown)));
    return 1;
  }
}

async function answer(command: string | undefined, version: string): Promise<object> {
  switch (command) {
    case 'get-plugin-metadata':
      return metadata(version);
    case 'describe-key':
      return describeKey(await readRequest());
    case 'generate-signature':
      return generateSignature(await readRequest());
    default:
      throw new PluginError(
        'VALIDATION_ERROR',
        'this plugin has the commands get-plugin-metadata, describe-key, generate-signature',
      );
  }
}

async function readRequest(): Promise<string> {
  return (await readStandardInput()).toString('utf8');
}

function metadata(version: string): object {
  return {
    name: 'touchstone',
    description: 'Signs with keys of the Touchstone agent',
    version,
    url: 'https://notaryproject.dev/',
    supportedContractVersions: [CONTRACT],
    capabilities: ['SIGNATURE_GENERATOR.RAW'],
  };
}

async function describeKey(text: string): Promise<object> {
  const { keyId } = readKeyRequest(text);
  await withKey(keyId, () => Promise.resolve());
  return { keyId, keySpec: KEY_SPEC };
}

async function generateSignature(text: string): Promise<object> {
  const { keyId, fields } = readKeyRequest(text);
  const payload = readPayload(fields);
  return withKey(keyId, async (client, key, name) => {
    const certificateChain = await chainOf(name, key);
    const statement = { key: name, kind: NOTATION_KIND, payload };
    // Notation waits for ever; the agent does not.
    const [signed] = await signStatements(client, [statement], requestMs(undefined));
    const signature = encodeBase64(signed?.signature ?? Buffer.alloc(0));
    return { keyId, signature, signingAlgorithm: 'ECDSA-SHA-256', certificateChain };
  });
}

function withKey<T>(
  keyId: string,
  use: (client: AgentClient, key: KeyInfo, name: string) => Promise<T>,
): Promise<T> {
  const name = keyOfReference(keyId, 'notation');
  return throughDoor('notation-touchstone', async (client) => {
    const { key } = await client.call('keys.show', { key: name });
    if (key.algorithm === 'ecdsa-p256') return use(client, key, name);
    throw new PluginError(
      'VALIDATION_ERROR',
      `${name} is ${key.algorithm}; Notation signatures here are by P-256 keys`,
    );
  });
}

/** Base64 of DER, leaf first. @throws AgentError `config.missing`, `config.invalid` */
async function chainOf(name: string, key: KeyInfo): Promise<readonly string[]> {
  const places = await findPlaces({ env: process.env, uid: process.getuid?.() ?? -1, home: homedir() });
  const chain = new CertificateFolder(places.configFile).chain(name);
  const hint = `issue it: touchstone cert issue '${name}'`;
  if (chain === undefined)
    throw new AgentError('config.missing', { message: `${name} has no certificate`, hint });
  const spki = chain[0]?.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  if (spki !== key.publicKey)
    throw new AgentError('config.invalid', {
      message: `the certificate of ${name} is of another epoch`,
      hint,
    });
  return chain.map(({ raw }) => encodeBase64(raw));
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length;) offset += writeSync(fd, bytes, offset);
}
