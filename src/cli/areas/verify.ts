/** Words of `verify`. Everything here works without the agent. */
import type { CommandSpec, OptionSpec } from '../command.js';
import { REGISTRY_OPTION_SPECS } from './registry-options.js';

const KEY_OPTIONS: readonly OptionSpec[] = [
  { flags: '--key <name>', summary: 'key in the keyring of this machine' },
  { flags: '--key-file <file>', summary: 'public key: PEM, an OpenSSH key line, or an allowed-signers file' },
];

export const VERIFY_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['verify', 'image'],
    summary: 'verify the signatures of an image in a registry, or one payload and its signature',
    arguments: [
      {
        name: '[image]',
        summary: 'image in a registry; or, with --payload, the OCI image layout that must be what was signed',
      },
    ],
    options: [
      ...KEY_OPTIONS,
      { flags: '--payload <file>', summary: 'the signed payload, where no registry is asked' },
      { flags: '--signature <file>', summary: 'its signature, DER or base64' },
      { flags: '--digest <digest>', summary: 'sha256:HEX that must be what was signed' },
      { flags: '--reference <reference>', summary: 'image reference that must be what was signed' },
      {
        flags: '--notation-ca <file>',
        summary: 'PEM with authorities whose Notation signatures count (default: the own authority)',
      },
      ...REGISTRY_OPTION_SPECS,
    ],
    examples: [
      'touchstone verify image --key registry.example/acme/app#cosign registry.example/acme/app:1.0',
      'touchstone verify image --key docker.io/library/hello#cosign --payload p.json --signature p.sig ./layout',
      'touchstone verify image --key-file cosign.pub --payload p.json --signature p.sig --digest sha256:9f86d081884c7d65…',
    ],
    load: async () => (await import('../commands/verify-image.js')).verifyImage,
  },
  {
    path: ['verify', 'attestation'],
    summary: 'verify attestations of an image in a registry and print the statements',
    arguments: [{ name: '<image>', summary: 'image in a registry: REGISTRY/NAME:TAG' }],
    options: [
      ...KEY_OPTIONS,
      { flags: '--type <type>', summary: 'predicate type, as for "touchstone attest"', required: true },
      ...REGISTRY_OPTION_SPECS,
    ],
    examples: [
      'touchstone verify attestation --key-file cosign.pub --type slsaprovenance1 registry.example/acme/app:1.0',
    ],
    load: async () => (await import('../commands/verify-attestation.js')).verifyAttestation,
  },
  {
    path: ['verify', 'file'],
    summary: 'verify the OpenSSH signature of a file',
    arguments: [{ name: '<file>', summary: 'the file; - is standard input' }],
    options: [
      ...KEY_OPTIONS,
      { flags: '--signature <file>', summary: 'the signature (default FILE.sig)' },
      { flags: '--namespace <name>', summary: 'what the signature must be for (default file)' },
    ],
    examples: [
      'touchstone verify file --key touchstone/release#ssh release.tar.gz',
      'touchstone verify file --key-file release.pub --signature release.tar.gz.sig release.tar.gz',
    ],
    load: async () => (await import('../commands/verify-file.js')).verifyFile,
  },
  {
    path: ['verify', 'dsse'],
    summary: 'verify a DSSE envelope',
    arguments: [{ name: '<envelope>', summary: 'the envelope; - is standard input' }],
    options: [
      ...KEY_OPTIONS,
      { flags: '--type <media-type>', summary: 'payload type that it must have' },
      {
        flags: '--payload-out <file>',
        summary: 'write the verified payload to this file; - is standard output',
      },
    ],
    examples: [
      'touchstone verify dsse --key docker.io/library/hello#cosign --type application/vnd.in-toto+json envelope.json',
    ],
    load: async () => (await import('../commands/verify-dsse.js')).verifyDsse,
  },
];
