/** What the configuration alone says of a token: its serial number, whether the agent makes it, what its host is to look for. */
import { tokenUri, type TokenConfig } from '../config/token-document.js';
import { findYkcs11 } from '../platform/find-ykcs11.js';
import type { HostCalls } from '../tokenhost/messages.js';

/** Whether the agent gives this token its PIN when it is blank. */
export function isEmbedded(config: TokenConfig): boolean {
  return config.kind === 'pkcs11' && config.embedded;
}

/** The serial number that the configuration names, where it has to name one. */
export function serialOf(config: TokenConfig): string | undefined {
  return config.kind === 'yubikey-piv' ? config.serial : undefined;
}

/** What the host looks for. @throws AgentError when the driver is not there */
export function selectorOf(config: TokenConfig): HostCalls['open']['params'] {
  if (config.kind === 'pkcs11') return { module: config.module, uri: config.uri };
  if (config.kind === 'yubikey-otp') return { serial: config.serial, slot: config.slot };
  return { module: config.module ?? findYkcs11(), uri: tokenUri(config), applet: 'piv' };
}
