/** The touchstone.toml that `touchstone init` writes: the settings given, and every other one explained as a comment. */
import type { Pkcs11TokenConfig, PivTokenConfig } from './token-document.js';

/** A token as it is first written; what else a YubiKey has keeps its default. */
export type NewToken = Pkcs11TokenConfig | Omit<PivTokenConfig, 'attestationRoots' | 'releaseAfterSeconds'>;

export interface DefaultConfigFields {
  readonly domain: string;
  readonly tokens: readonly NewToken[];
}

/** Text of touchstone.toml; `parseConfig` of it gives the same fields back. */
export function defaultConfig(fields: DefaultConfigFields): string {
  const tokens = fields.tokens.length === 0 ? TOKEN_EXAMPLE : fields.tokens.map(tokenText).join('\n');
  return `${HEAD}domain = ${tomlString(fields.domain)}\n${SETTINGS}\n${TOKEN_HEAD}${tokens}`;
}

const HEAD = `# Configuration of the Touchstone agent. Reference: docs/spec/config.md
# "touchstone config show" prints what is in force. Lines that begin with "# " show the defaults.

version = 1

# Trust domain: part of what every key is derived from. Another domain gives other keys.
`;

const SETTINGS = `
# Path of the socket, absolute; "touchstone paths" shows the one in use.
# socket = "/run/user/1000/touchstone/agent.sock"

# Other uids that may connect. What they may do is for policy.toml to say.
# allow-uids = []

# Uid that clients accept as the agent's, besides their own and 0: for an agent that runs as a service.
# service-uid = 998

# Desktop notifications when something waits for a touch, a PIN or a token; only where the agent has a session bus.
# notifications = true

[audit]
# "fsync": a record is on the disk before its signature leaves. "os": the system writes it when it likes; faster,
# a power loss may cost the newest records.
# durability = "fsync"
# A log file is closed and the next one begun at this size.
# rotate-bytes = 67108864

[lease]
# How long keys stay loaded after "touchstone unlock", and the most anybody may ask for.
# default-seconds = 28800
# max-seconds = 86400

[ssh-agent]
# A socket that speaks the SSH agent protocol, for ssh and git: "touchstone env" prints SSH_AUTH_SOCK.
# enabled = false
# socket = "/run/user/1000/touchstone/ssh-agent.sock"
# certificates = ["/home/user/.ssh/id_touchstone-cert.pub"]

[pkcs11]
# A socket that speaks the p11-kit protocol, for programs that use PKCS#11.
# enabled = false
# socket = "/run/user/1000/touchstone/pkcs11.sock"
`;

const TOKEN_HEAD = `# One [[token]] per token: name, module (absolute path of the PKCS#11 driver), uri (RFC 7512: token label, serial);
# of a YubiKey name, kind = "yubikey-piv" and serial (the number printed on it), see docs/tokens/yubikey.md.
# on-removal = "keep" lets loaded keys sign on until the lease ends, "lock" drops them when the token is removed.
# env sets variables of the driver's process. pin = { file = "/absolute/path" } (mode 0600) or
# pin = { credential = "name" } (systemd) lets the agent unlock by itself; with pin = { pinentry = true } or
# pin = { askpass = "/absolute/path" } the agent has you asked; pin = { keychain = true } takes what you stored with
# "touchstone pin store"; without it you type the PIN at the command.

`;

const TOKEN_EXAMPLE = `# [[token]]
# name = "release"
# module = "/usr/lib/x86_64-linux-gnu/libykcs11.so"
# uri = "pkcs11:token=release;serial=0123456789abcdef"
# on-removal = "keep"
`;

function tokenText(token: NewToken): string {
  const lines = [
    '[[token]]',
    `name = ${tomlString(token.name)}`,
    ...homeText(token),
    `on-removal = ${tomlString(token.onRemoval)}`,
  ];
  if (token.kind === 'pkcs11' && token.embedded) lines.push('embedded = true');
  const env = Object.entries(token.env).map(([name, value]) => `${name} = ${tomlString(value)}`);
  if (env.length > 0) lines.push(`env = { ${env.join(', ')} }`);
  if (token.pin.source === 'file') lines.push(`pin = { file = ${tomlString(token.pin.path)} }`);
  if (token.pin.source === 'credential') lines.push(`pin = { credential = ${tomlString(token.pin.name)} }`);
  return `${lines.join('\n')}\n`;
}

function homeText(token: NewToken): readonly string[] {
  const module = token.module === undefined ? [] : [`module = ${tomlString(token.module)}`];
  return token.kind === 'pkcs11'
    ? [...module, `uri = ${tomlString(token.uri)}`]
    : [`kind = ${tomlString(token.kind)}`, `serial = ${token.serial}`, ...module];
}

// A JSON string is a TOML basic string, except that TOML also wants DEL escaped.
function tomlString(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\u007f');
}
