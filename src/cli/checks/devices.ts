/** What stands between the agent and a YubiKey: the smart card service, its driver, the right to open its HID node. Each with the next command. */
import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Config } from '../../config/document.js';
import type { TokenConfig } from '../../config/token-document.js';
import { asAgentError } from '../../errors/agent-error.js';
import { findYkcs11 } from '../../platform/find-ykcs11.js';
import { fail, ok, warn, type Check } from './check.js';

/** Where pcscd listens unless PCSCLITE_CSOCK_NAME says otherwise. */
const PCSCD_SOCKET = '/run/pcscd/pcscd.comm';
const PCSCD_PROGRAM = '/usr/sbin/pcscd';
/** It is local: a daemon that does not take a connection by then hangs. Milliseconds. */
const CONNECT_MS = 2_000;

/** Where the kernel shows HID devices, and their nodes. */
export interface HidPlaces {
  readonly sysfs: string;
  readonly dev: string;
}
const HID_PLACES: HidPlaces = { sysfs: '/sys/class/hidraw', dev: '/dev' };
/** USB vendor id of Yubico, as `HID_ID` writes it. */
const YUBICO = /^HID_ID=[0-9A-F]{4}:00001050:/m;

/** One check per service and driver that the configured YubiKeys need; none where there are no YubiKeys. */
export async function checkDevices(config: Config): Promise<readonly Check[]> {
  const cards = config.tokens.filter(({ kind }) => kind === 'yubikey-piv');
  const sockets = new Set(cards.map(({ env }) => env['PCSCLITE_CSOCK_NAME'] ?? PCSCD_SOCKET));
  const isLinux = process.platform === 'linux';
  return [
    ...(isLinux ? await Promise.all([...sockets].map((socket) => checkPcscd(socket))) : []),
    ...cards.flatMap(checkCardDriver),
    ...(isLinux && config.tokens.some(({ kind }) => kind === 'yubikey-otp') ? [checkHid()] : []),
  ];
}

/** Whether pcscd takes a connection. @param socket its path */
async function checkPcscd(socket: string): Promise<Check> {
  const name = 'smart card service';
  const code = await connectionError(socket);
  if (code === undefined) return ok(name, `pcscd answers on ${socket}`);
  const fix = existsSync(PCSCD_PROGRAM)
    ? 'sudo systemctl enable --now pcscd.socket'
    : 'sudo apt-get install pcscd, then sudo systemctl enable --now pcscd.socket';
  return fail(name, `pcscd does not answer on ${socket} (${code})`, fix);
}

/** Whether this user may open the HID nodes of the YubiKeys that are plugged in. */
export function checkHid({ sysfs, dev }: HidPlaces = HID_PLACES): Check {
  const name = 'HID access';
  const nodes = yubicoNodes(sysfs).map((node) => join(dev, node));
  if (nodes.length === 0)
    return warn(name, 'no YubiKey shows itself as HID device', 'insert it; then "touchstone token list"');
  const closed = nodes.filter((node) => !mayOpen(node));
  if (closed.length === 0) return ok(name, nodes.join(', '));
  return fail(
    name,
    `this user may not open ${closed.join(', ')}`,
    'add the udev rule of docs/tokens/yubikey-otp.md, then sudo udevadm control --reload, and insert the key again',
  );
}

/** A module that is named is checked as any other token's. */
function checkCardDriver(token: TokenConfig): readonly Check[] {
  if (!('module' in token) || token.module !== undefined) return [];
  const name = `driver of ${token.name}`;
  try {
    return [ok(name, findYkcs11())];
  } catch (thrown) {
    const error = asAgentError(thrown);
    return [
      fail(
        name,
        error.message,
        'sudo apt-get install ykcs11, or name the file with module in touchstone.toml',
      ),
    ];
  }
}

function connectionError(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const timer = setTimeout(() => {
      end('it hangs');
    }, CONNECT_MS);
    const end = (code: string | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(code);
    };
    socket.once('connect', () => {
      end(undefined);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      end(error.code ?? 'unknown');
    });
  });
}

function yubicoNodes(sysfs: string): readonly string[] {
  try {
    return readdirSync(sysfs).filter((node) =>
      YUBICO.test(readFileSync(join(sysfs, node, 'device', 'uevent'), 'latin1')),
    );
  } catch {
    // Without HID in the kernel, or unplugged meanwhile.
    return [];
  }
}

function mayOpen(node: string): boolean {
  try {
    closeSync(openSync(node, constants.O_RDWR | constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}
