/** The plugins of cosign and Notation as their hosts drive them: one process for each signature, one after the other. */
import path from 'node:path';
import type { DemoAgent } from '../support/demo-agent.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { plainBench, type Bench, type Row } from './measurement.js';
import { processTime } from './node-start.js';
import { IMAGE_REPOSITORY, notationPayload, simpleSigningPayload } from './payload.js';

interface Plugin {
  readonly program: string;
  readonly argv: readonly string[];
  readonly input: Buffer;
}

function pluginRow(id: string, label: string, agent: DemoAgent, { program, argv, input }: Plugin): Row {
  const all = [path.join(PROJECT_ROOT, 'dist/bin', `${program}.js`), ...argv];
  return {
    id,
    label,
    unit: 'sign/s',
    measure: () => {
      const ms = processTime(all, agent.environment, input);
      return Promise.resolve({ value: 1000 / ms, medianMicros: ms * 1000 });
    },
  };
}

/** @param agent with a key `#cosign` for the repository of the benchmark; closed by its owner */
export async function plugins(agent: DemoAgent, messageBytes: number): Promise<Bench> {
  const tokens = JSON.parse(await agent.must(['token', 'list', '--json'])) as {
    readonly tokens: readonly { readonly name: string }[];
  };
  await agent.must(['key', 'create', 'touchstone/ca#x509-ca', '--token', tokens.tokens[0]?.name ?? '']);
  await agent.must(['cert', 'init', '--subject', 'C=DE,ST=Berlin,O=Bench']);
  await agent.derive(`${IMAGE_REPOSITORY}#notation`);
  await agent.must(['cert', 'issue', `${IMAGE_REPOSITORY}#notation`]);
  const signMessage = { signOptions: { messageOptions: { digest: null } } };
  const initOptions = { protocolVersion: 'v1', keyResourceID: IMAGE_REPOSITORY, hashFunc: 5 };
  const notation = {
    contractVersion: '1.0',
    keyId: IMAGE_REPOSITORY,
    keySpec: 'EC-256',
    hashAlgorithm: 'SHA-256',
    payload: notationPayload().toString('base64'),
  };
  return plainBench([
    pluginRow('us-cosign', 'us through the cosign plugin, a process each', agent, {
      program: 'sigstore-kms-touchstone',
      argv: ['v1', JSON.stringify({ initOptions, methodName: 'signMessage', signMessage })],
      input: simpleSigningPayload(messageBytes),
    }),
    pluginRow('us-notation', 'us through the Notation plugin, a process each', agent, {
      program: 'notation-touchstone',
      argv: ['generate-signature'],
      input: Buffer.from(JSON.stringify(notation)),
    }),
  ]);
}
