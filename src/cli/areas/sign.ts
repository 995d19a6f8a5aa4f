/** Words of `sign`. */
import type { CommandSpec, OptionSpec } from '../command.js';
import { REGISTRY_OPTION_SPECS } from './registry-options.js';

const KEY: OptionSpec = {
  flags: '--key <name>',
  summary: 'key that signs: REPOSITORY#ROLE[@EPOCH][~ALGORITHM][:INDEX], or a key URI',
  required: true,
};

export const SIGN_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['sign', 'image'],
    summary: 'sign a container image, in every form that cosign reads, and store the signature beside it',
    arguments: [
      {
        name: '[image]',
        summary: 'image in a registry (REGISTRY/NAME:TAG), or an OCI image layout folder; or use --digest',
      },
    ],
    options: [
      KEY,
      { flags: '--digest <digest>', summary: 'sha256:HEX of the image manifest' },
      {
        flags: '--reference <reference>',
        summary: 'image reference to state (default: the repository)',
      },
      { flags: '--annotation <key=value>', summary: 'add an annotation; may be repeated', kind: 'list' },
      { flags: '--payload-out <file>', summary: 'write the signed payload to this file' },
      {
        flags: '--signature-out <file>',
        summary: 'write the signature to this file (DER for ECDSA); - is standard output',
      },
      ...REGISTRY_OPTION_SPECS,
    ],
    examples: [
      'touchstone sign image --key registry.example/acme/app#cosign registry.example/acme/app:1.0',
      'touchstone sign image --key docker.io/library/hello#cosign ./layout:latest --payload-out p.json --signature-out p.sig',
      'touchstone sign image --key docker.io/library/hello#cosign --digest sha256:9f86d081884c7d65…',
    ],
    load: async () => (await import('../commands/sign-image.js')).signImage,
  },
  {
    path: ['sign', 'file'],
    summary: 'sign files; each FILE gets an OpenSSH signature FILE.sig',
    arguments: [{ name: '<file...>', summary: 'files to sign; - is standard input' }],
    options: [
      KEY,
      { flags: '--namespace <name>', summary: 'what the signature is for (default file)' },
      {
        flags: '-o, --output <file>',
        summary: 'where the signature of a single file goes; - is standard output',
      },
    ],
    examples: [
      'touchstone sign file --key touchstone/release#ssh release.tar.gz',
      'touchstone sign file --key touchstone/release#ssh - < release.tar.gz > release.tar.gz.sig',
    ],
    load: async () => (await import('../commands/sign-file.js')).signFile,
  },
  {
    path: ['sign', 'dsse'],
    summary: 'sign a payload, for example an in-toto statement, into a DSSE envelope',
    arguments: [{ name: '<file>', summary: 'payload; - is standard input' }],
    options: [
      KEY,
      { flags: '--type <media-type>', summary: 'payload type', required: true },
      { flags: '-o, --output <file>', summary: 'write the envelope to this file; - is standard output' },
    ],
    examples: [
      'touchstone sign dsse --key docker.io/library/hello#cosign --type application/vnd.in-toto+json provenance.json',
    ],
    load: async () => (await import('../commands/sign-dsse.js')).signDsse,
  },
];

export const ATTEST_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['attest'],
    summary: 'sign an in-toto statement about an image in a registry and store it beside the image',
    arguments: [{ name: '<image>', summary: 'image in a registry: REGISTRY/NAME:TAG' }],
    options: [
      KEY,
      {
        flags: '--type <type>',
        summary: 'predicate type: a URI, or slsaprovenance1, spdxjson, cyclonedx, vuln, openvex',
        required: true,
      },
      { flags: '--predicate <file>', summary: 'the predicate as JSON; - is standard input', required: true },
      ...REGISTRY_OPTION_SPECS,
    ],
    examples: [
      'touchstone attest --key registry.example/acme/app#cosign --type slsaprovenance1 --predicate provenance.json registry.example/acme/app:1.0',
    ],
    load: async () => (await import('../commands/attest.js')).attest,
  },
];
