/** The configuration as a flat list with where each value comes from: for `touchstone config show --origin`. */
import { fieldName } from '../encoding/toml-problem.js';
import { parseToml } from '../encoding/toml.js';
import type { Config, DoorConfig } from './document.js';
import type { PinSource, TokenConfig } from './token-document.js';

export interface Setting {
  /** As written in touchstone.toml: `audit.rotate-bytes`, `token[0].name`. */
  readonly name: string;
  readonly value: string | number | boolean | readonly (number | string)[];
  readonly origin: 'config' | 'default';
}

/** Every setting in force, in the order of the reference; `text` is the file that `config` was parsed from. */
export function settingsOf(config: Config, text: string, file: string): readonly Setting[] {
  const written = parseToml(text, file).value;
  return valuesOf(config).map(({ path, value }) => ({
    name: fieldName(path),
    value,
    origin: isWritten(written, path) ? 'config' : 'default',
  }));
}

type Path = readonly (string | number)[];

interface Entry {
  readonly path: Path;
  readonly value: Setting['value'];
}

function valuesOf(config: Config): readonly Entry[] {
  return [
    { path: ['version'], value: config.version },
    { path: ['domain'], value: config.domain },
    ...(config.socket === undefined ? [] : [{ path: ['socket'], value: config.socket }]),
    { path: ['allow-uids'], value: config.allowUids },
    ...(config.serviceUid === undefined ? [] : [{ path: ['service-uid'], value: config.serviceUid }]),
    { path: ['notifications'], value: config.notifications },
    { path: ['audit', 'durability'], value: config.audit.durability },
    { path: ['audit', 'rotate-bytes'], value: config.audit.rotateBytes },
    { path: ['lease', 'default-seconds'], value: config.lease.defaultSeconds },
    { path: ['lease', 'max-seconds'], value: config.lease.maxSeconds },
    ...doorValues(config.sshAgent, 'ssh-agent'),
    { path: ['ssh-agent', 'certificates'], value: config.sshAgent.certificates },
    ...doorValues(config.pkcs11, 'pkcs11'),
    { path: ['certificates', 'required'], value: config.certificates.required },
    { path: ['certificates', 'threshold'], value: config.certificates.threshold },
    {
      path: ['certificates', 'roots'],
      value: config.certificates.roots.map((spki) => spki.toString('base64')),
    },
    ...config.tokens.flatMap((token, index) => tokenValues(token, ['token', index])),
  ];
}

function doorValues(door: DoorConfig, name: string): readonly Entry[] {
  return [
    { path: [name, 'enabled'], value: door.enabled },
    ...(door.socket === undefined ? [] : [{ path: [name, 'socket'], value: door.socket }]),
  ];
}

function tokenValues(token: TokenConfig, at: Path): readonly Entry[] {
  const pin = pinValue(token.pin);
  return [
    { path: [...at, 'name'], value: token.name },
    { path: [...at, 'kind'], value: token.kind },
    ...deviceValues(token, at),
    { path: [...at, 'on-removal'], value: token.onRemoval },
    ...Object.entries(token.env).map(([name, value]) => ({ path: [...at, 'env', name], value })),
    ...(pin === undefined ? [] : [{ path: [...at, 'pin', token.pin.source], value: pin }]),
  ];
}

function pinValue(pin: PinSource): string | true | undefined {
  switch (pin.source) {
    case 'person':
      return undefined;
    case 'credential':
      return pin.name;
    case 'pinentry':
      return pin.path ?? true;
    case 'keychain':
      return true;
    case 'file':
    case 'askpass':
      return pin.path;
  }
}

function deviceValues(token: TokenConfig, at: Path): readonly Entry[] {
  const serial = 'serial' in token ? [{ path: [...at, 'serial'], value: Number(token.serial) }] : [];
  switch (token.kind) {
    case 'pkcs11':
      return [
        { path: [...at, 'module'], value: token.module },
        { path: [...at, 'uri'], value: token.uri },
        { path: [...at, 'embedded'], value: token.embedded },
      ];
    case 'yubikey-piv':
      return [
        ...serial,
        ...optional([...at, 'module'], token.module),
        ...optional([...at, 'attestation-roots'], token.attestationRoots),
        { path: [...at, 'release-after'], value: token.releaseAfterSeconds },
      ];
    case 'yubikey-otp':
      return [...serial, { path: [...at, 'slot'], value: token.slot }];
  }
}

function optional(path: Path, value: string | undefined): readonly Entry[] {
  return value === undefined ? [] : [{ path, value }];
}

function isWritten(document: unknown, path: Path): boolean {
  let value = document;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return false;
    value = (value as Readonly<Record<string | number, unknown>>)[part];
  }
  return true;
}
