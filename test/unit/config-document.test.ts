import { describe, expect, it } from 'vitest';
import { defaultConfig } from '../../src/config/default-config.js';
import { parseConfig } from '../../src/config/document.js';
import { settingsOf } from '../../src/config/settings.js';
import type { Pkcs11TokenConfig } from '../../src/config/token-document.js';
import { codeOf, thrownBy } from '../support/error-code.js';

const FILE = 'touchstone.toml';
const HEAD = 'version = 1\ndomain = "acme.example"\n';
const TOKEN = '[[token]]\nname = "a"\nmodule = "/lib/p11.so"\nuri = "pkcs11:token=a"\n';

const SLOT = '[[token]]\nname = "s"\nkind = "yubikey-otp"\nserial = 12345678\nslot = 2\n';

describe('configuration', () => {
  it('reads an OTP slot, and shows it as it was written', () => {
    const text = HEAD + SLOT;
    const config = parseConfig(text, FILE);
    expect(config.tokens).toEqual([
      {
        kind: 'yubikey-otp',
        name: 's',
        serial: '12345678',
        slot: 2,
        onRemoval: 'keep',
        env: {},
        pin: { source: 'person' },
      },
    ]);
    const shown = settingsOf(config, text, FILE).filter(({ name }) => name.startsWith('token'));
    expect(shown.map(({ name, value }) => `${name} = ${JSON.stringify(value)}`)).toEqual([
      'token[0].name = "s"',
      'token[0].kind = "yubikey-otp"',
      'token[0].serial = 12345678',
      'token[0].slot = 2',
      'token[0].on-removal = "keep"',
    ]);
  });

  it('takes roots of certificates, a threshold that they can meet, and no root twice', () => {
    const key = 'MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=';
    const table = (...lines: readonly string[]): string => [HEAD, '[certificates]', ...lines, ''].join('\n');
    const config = parseConfig(table('required = true', `roots = ["${key}"]`), FILE);
    expect(config.certificates).toEqual({
      required: true,
      threshold: 1,
      roots: [Buffer.from(key, 'base64')],
    });
    for (const lines of [
      ['required = true'],
      [`roots = ["${key}", "${key}"]`],
      [`roots = ["${key}"]`, 'threshold = 2'],
      ['roots = ["AAAA"]'],
      ['roots = ["not base64"]'],
    ])
      expect(codeOf(() => parseConfig(table(...lines), FILE))).toBe('config.invalid');
  });

  it('has defaults for everything but version and domain', () => {
    expect(parseConfig(HEAD, FILE)).toEqual({
      version: 1,
      domain: 'acme.example',
      socket: undefined,
      allowUids: [],
      serviceUid: undefined,
      notifications: true,
      audit: { durability: 'fsync', rotateBytes: 67_108_864 },
      lease: { defaultSeconds: 28_800, maxSeconds: 86_400 },
      sshAgent: { enabled: false, socket: undefined, certificates: [] },
      pkcs11: { enabled: false, socket: undefined },
      certificates: { required: false, threshold: 1, roots: [] },
      tokens: [],
    });
    expect(parseConfig(HEAD + TOKEN, FILE).tokens).toEqual([
      {
        kind: 'pkcs11',
        name: 'a',
        module: '/lib/p11.so',
        uri: 'pkcs11:token=a',
        onRemoval: 'keep',
        embedded: false,
        env: {},
        pin: { source: 'person' },
      },
    ]);
  });

  it('reads every field', () => {
    const text = `${HEAD}socket = "/run/a.sock"
allow-uids = [5, 6]
service-uid = 998
[audit]
durability = "os"
rotate-bytes = 4096
[lease]
default-seconds = 60
max-seconds = 120
[ssh-agent]
enabled = true
socket = "/run/s.sock"
certificates = ["/x/a-cert.pub"]
[pkcs11]
enabled = true
socket = "/run/p.sock"
${TOKEN}on-removal = "lock"
embedded = true
env = { SOFTHSM2_CONF = "/x/softhsm2.conf" }
pin = { file = "/x/pin" }
${TOKEN.replace('"a"', '"b"')}pin = { credential = "touchstone-pin" }
`;
    const config = parseConfig(text, FILE);
    expect(config).toMatchObject({
      socket: '/run/a.sock',
      allowUids: [5, 6],
      serviceUid: 998,
      audit: { durability: 'os', rotateBytes: 4096 },
      lease: { defaultSeconds: 60, maxSeconds: 120 },
      sshAgent: { enabled: true, socket: '/run/s.sock', certificates: ['/x/a-cert.pub'] },
      pkcs11: { enabled: true, socket: '/run/p.sock' },
    });
    expect(config.tokens[0]).toMatchObject({
      onRemoval: 'lock',
      embedded: true,
      env: { SOFTHSM2_CONF: '/x/softhsm2.conf' },
      pin: { source: 'file', path: '/x/pin' },
    });
    expect(config.tokens[1]?.pin).toEqual({ source: 'credential', name: 'touchstone-pin' });
  });

  const table: readonly (readonly [string, string, string, number, string])[] = [
    ['no domain', 'version = 1\n', 'config.invalid', 1, 'domain'],
    ['a domain in upper case', 'version = 1\ndomain = "Acme"\n', 'config.invalid', 2, 'domain'],
    ['another version', 'version = 2\ndomain = "a"\n', 'config.invalid', 1, 'version'],
    ['an unknown field', `${HEAD}sockets = "/a"\n`, 'config.invalid', 3, 'sockets'],
    ['an unknown section', `${HEAD}[log]\nlevel = "x"\n`, 'config.invalid', 3, 'log'],
    ['a relative socket', `${HEAD}socket = "run/a.sock"\n`, 'usage.path-relative', 3, 'socket'],
    ['a uid as text', `${HEAD}allow-uids = ["root"]\n`, 'config.invalid', 3, 'allow-uids[0]'],
    [
      'an unknown durability',
      `${HEAD}[audit]\ndurability = "none"\n`,
      'config.invalid',
      4,
      'audit.durability',
    ],
    ['tiny files', `${HEAD}[audit]\nrotate-bytes = 1\n`, 'config.invalid', 4, 'audit.rotate-bytes'],
    [
      'a default over the most',
      `${HEAD}[lease]\ndefault-seconds = 9\nmax-seconds = 8\n`,
      'config.invalid',
      4,
      'lease.default-seconds',
    ],
    ['a lease without end', `${HEAD}[lease]\nmax-seconds = 0\n`, 'config.invalid', 4, 'lease.max-seconds'],
    [
      'a token without module',
      `${HEAD}[[token]]\nname = "a"\nuri = "pkcs11:token=a"\n`,
      'config.invalid',
      3,
      'token[0].module',
    ],
    ['a relative module', HEAD + TOKEN.replace('/lib', 'lib'), 'usage.path-relative', 5, 'token[0].module'],
    ['an unknown kind', `${HEAD}${TOKEN}kind = "card"\n`, 'config.invalid', 7, 'token[0].kind'],
    [
      'an OTP slot with a module',
      `${HEAD}[[token]]\nname = "a"\nkind = "yubikey-otp"\nserial = 7\nslot = 2\nmodule = "/x"\n`,
      'config.invalid',
      8,
      'token[0].module',
    ],
    [
      'a third OTP slot',
      `${HEAD}[[token]]\nname = "a"\nkind = "yubikey-otp"\nserial = 7\nslot = 3\n`,
      'config.invalid',
      7,
      'token[0].slot',
    ],
    [
      'a serial number in quotes',
      `${HEAD}[[token]]\nname = "a"\nkind = "yubikey-piv"\nserial = "7"\n`,
      'config.invalid',
      6,
      'token[0].serial',
    ],
    [
      'relative roots',
      `${HEAD}[[token]]\nname = "a"\nkind = "yubikey-piv"\nserial = 7\nattestation-roots = "x.pem"\n`,
      'usage.path-relative',
      7,
      'token[0].attestation-roots',
    ],
    [
      'roots of what is no card',
      `${HEAD}${TOKEN}attestation-roots = "/x.pem"\n`,
      'config.invalid',
      7,
      'token[0].attestation-roots',
    ],
    [
      'two slots of one key',
      `${HEAD}${SLOT}${SLOT.replace('"s"', '"t"').replace('slot = 2', 'slot = 1')}`,
      'config.invalid',
      11,
      'token[1].serial',
    ],
    ['two tokens of one name', HEAD + TOKEN + TOKEN, 'config.invalid', 8, 'token[1].name'],
    [
      'a PIN in the URI',
      HEAD + TOKEN.replace('token=a', 'token=a?pin-value=1234'),
      'usage.pin-in-uri',
      6,
      'token[0].uri',
    ],
    [
      'a PIN file in the URI',
      HEAD + TOKEN.replace('token=a', 'token=a;pin-source=/x'),
      'usage.pin-in-uri',
      6,
      'token[0].uri',
    ],
    ['no URI', HEAD + TOKEN.replace('pkcs11:', 'http:'), 'key.uri-invalid', 6, 'token[0].uri'],
    [
      'an unknown on-removal',
      `${HEAD}${TOKEN}on-removal = "wipe"\n`,
      'config.invalid',
      7,
      'token[0].on-removal',
    ],
    [
      'LD_PRELOAD',
      `${HEAD}${TOKEN}env = { LD_PRELOAD = "/x.so" }\n`,
      'config.invalid',
      7,
      'token[0].env.LD_PRELOAD',
    ],
    [
      'NODE_OPTIONS',
      `${HEAD}${TOKEN}env = { NODE_OPTIONS = "x" }\n`,
      'config.invalid',
      7,
      'token[0].env.NODE_OPTIONS',
    ],
    [
      'a variable that is no name',
      `${HEAD}${TOKEN}env = { "A B" = "x" }\n`,
      'config.invalid',
      7,
      'token[0].env.A B',
    ],
    [
      'a variable with a line feed',
      `${HEAD}${TOKEN}env = { A = "x\\ny" }\n`,
      'config.invalid',
      7,
      'token[0].env.A',
    ],
    ['a PIN itself', `${HEAD}${TOKEN}pin = "1234"\n`, 'config.invalid', 7, 'token[0].pin'],
    ['a PIN value', `${HEAD}${TOKEN}pin = { value = "1234" }\n`, 'config.invalid', 7, 'token[0].pin.value'],
    [
      'two sources of a PIN',
      `${HEAD}${TOKEN}pin = { file = "/x", credential = "y" }\n`,
      'config.invalid',
      7,
      'token[0].pin',
    ],
    [
      'a relative PIN file',
      `${HEAD}${TOKEN}pin = { file = "x" }\n`,
      'usage.path-relative',
      7,
      'token[0].pin.file',
    ],
    [
      'a credential with a path',
      `${HEAD}${TOKEN}pin = { credential = "../x" }\n`,
      'config.invalid',
      7,
      'token[0].pin.credential',
    ],
    [
      'a relative socket of a door',
      `${HEAD}[pkcs11]\nsocket = "p.sock"\n`,
      'usage.path-relative',
      4,
      'pkcs11.socket',
    ],
    [
      'a relative certificate',
      `${HEAD}[ssh-agent]\ncertificates = ["/a", "b"]\n`,
      'usage.path-relative',
      4,
      'ssh-agent.certificates[1]',
    ],
    ['a syntax error', `${HEAD}socket = \n`, 'config.invalid', 3, ''],
  ];

  it.each(table)('refuses %s and points at it', (_, text, code, line, field) => {
    const error = thrownBy(() => parseConfig(text, FILE));
    expect(error.code).toBe(code);
    expect(error.details).toMatchObject({ file: FILE, line });
    if (field !== '') expect(error.details).toMatchObject({ field });
    expect(error.message).toContain(`${FILE}, line ${line}, column `);
    expect(error.message).not.toContain('1234');
  });
});

describe('default configuration', () => {
  const token: Pkcs11TokenConfig = {
    kind: 'pkcs11',
    name: 'embedded',
    module: '/usr/lib/softhsm/libsofthsm2.so',
    uri: 'pkcs11:token=touchstone',
    onRemoval: 'lock',
    embedded: true,
    env: { SOFTHSM2_CONF: '/home/a "b"\\c/softhsm2.conf' },
    pin: { source: 'file', path: '/x/pin' },
  };

  it('reads back as what it was made from', () => {
    const tokens = [
      token,
      {
        ...token,
        name: 'second',
        embedded: false,
        env: {},
        pin: { source: 'credential', name: 'c' } as const,
      },
    ];
    const config = parseConfig(defaultConfig({ domain: 'acme.example', tokens }), FILE);
    expect(config).toEqual({ ...parseConfig(HEAD, FILE), tokens });
    expect(parseConfig(defaultConfig({ domain: 'acme.example', tokens: [] }), FILE)).toEqual(
      parseConfig(HEAD, FILE),
    );
  });

  it.each(['/usr/lib/libykcs11.so', undefined])('reads back a YubiKey whose driver is %s', (module) => {
    const key = { ...token, kind: 'yubikey-piv', serial: '4294967295', module, env: {} } as const;
    const config = parseConfig(defaultConfig({ domain: 'acme.example', tokens: [key] }), FILE);
    const { name, onRemoval, pin } = key;
    expect(config.tokens).toEqual([
      {
        ...{ kind: key.kind, name, serial: key.serial, module, onRemoval, pin, env: {} },
        releaseAfterSeconds: 300,
      },
    ]);
  });

  it('shows the true defaults as comments', () => {
    const text = defaultConfig({ domain: 'acme.example', tokens: [] });
    const uncommented = text.replace(
      /^# (?=(?:allow-uids|durability|rotate-bytes|default-seconds|max-seconds|enabled) = )/gm,
      '',
    );
    expect(uncommented).not.toBe(text);
    expect(parseConfig(uncommented, FILE)).toEqual(parseConfig(text, FILE));
  });
});

describe('settings', () => {
  it('tells for every value whether the file or the default gave it', () => {
    const text = `${HEAD}[audit]\ndurability = "os"\n[ssh-agent]\nenabled = true\nsocket = "/s"\n${TOKEN}env = { A = "b" }\npin = { file = "/p" }\n`;
    const settings = settingsOf(parseConfig(text, FILE), text, FILE);
    const shown = settings.map(({ name, value, origin }) => `${name} = ${JSON.stringify(value)} (${origin})`);
    expect(shown).toEqual([
      'version = 1 (config)',
      'domain = "acme.example" (config)',
      'allow-uids = [] (default)',
      'notifications = true (default)',
      'audit.durability = "os" (config)',
      'audit.rotate-bytes = 67108864 (default)',
      'lease.default-seconds = 28800 (default)',
      'lease.max-seconds = 86400 (default)',
      'ssh-agent.enabled = true (config)',
      'ssh-agent.socket = "/s" (config)',
      'ssh-agent.certificates = [] (default)',
      'pkcs11.enabled = false (default)',
      'certificates.required = false (default)',
      'certificates.threshold = 1 (default)',
      'certificates.roots = [] (default)',
      'token[0].name = "a" (config)',
      'token[0].kind = "pkcs11" (default)',
      'token[0].module = "/lib/p11.so" (config)',
      'token[0].uri = "pkcs11:token=a" (config)',
      'token[0].embedded = false (default)',
      'token[0].on-removal = "keep" (default)',
      'token[0].env.A = "b" (config)',
      'token[0].pin.file = "/p" (config)',
    ]);
  });
});
