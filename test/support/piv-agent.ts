/** A demo agent with one token: the virtual YubiKey of a `YubiKeyDesk`, by its serial number. */
import { UNTOUCHED_PHRASE } from '../../src/protocol/untouched.js';
import { DemoAgent, type CommandResult } from './demo-agent.js';
import { ALGORITHM, generateKey, type CardKey } from './virtual-yubikey/card-key.js';
import { reference } from './virtual-yubikey/bare-applet.js';
import type { Policies } from './virtual-yubikey/policies.js';
import type { YubiKeyDesk } from './virtual-yubikey/virtual-yubikey.js';
import { YubiKey, type YubiKeyOptions } from './virtual-yubikey/yubikey.js';

export const CARD_PIN = '271828';
const CARD_PUK = '31415926';

export interface PivKeys {
  readonly root?: CardKey;
  readonly derivation?: CardKey;
  /** Of the root; the derivation key asks for the PIN once. */
  readonly policies?: Policies;
  readonly derivationTouch?: Policies['touch'];
  readonly origin?: 'generated' | 'imported';
}

/** A card whose owner has chosen a PIN, with keys in 9C and 82. */
export function ownedCard(keys: PivKeys = {}, options: YubiKeyOptions = {}): YubiKey {
  const card = new YubiKey(options);
  card.state.pin.set(reference(CARD_PIN));
  const { origin = 'generated', policies = { pin: 'once', touch: 'never' } } = keys;
  const root = keys.root ?? generateKey(ALGORITHM.p256);
  const derivation = keys.derivation ?? generateKey(ALGORITHM.p256);
  card.state.keys.set(0x9c, { key: root, policies, origin: 'generated' });
  const touch = keys.derivationTouch ?? 'never';
  card.state.keys.set(0x82, { key: derivation, policies: { pin: 'once', touch }, origin });
  return card;
}

export class PivAgent extends DemoAgent {
  readonly cardPinFile = this.writePin('card-pin', CARD_PIN);
  readonly pukFile = this.writePin('card-puk', CARD_PUK);

  /** Configuration and running agent; the token is called `key`. */
  async begin(desk: YubiKeyDesk, lines: readonly string[] = [], domain = 'acme.example'): Promise<void> {
    await this.init(domain);
    const variables = Object.entries(desk.variables).map(([name, value]) => `${name} = "${value}"`);
    const fields = [
      '[[token]]',
      'name = "key"',
      'kind = "yubikey-piv"',
      `serial = ${desk.key.serial}`,
      `env = { ${variables.join(', ')} }`,
      ...lines,
    ];
    this.configure((toml) => `${toml.slice(0, toml.indexOf('[[token]]'))}\n${fields.join('\n')}\n`);
    await this.start();
  }

  /** Takes the keys that are on the card, also where its derivation key works without a touch. */
  adopt(...argv: readonly string[]): Promise<CommandResult> {
    return this.adoptTouched('--without-touch', UNTOUCHED_PHRASE, ...argv);
  }

  /** Takes the keys that are on the card. */
  adoptTouched(...argv: readonly string[]): Promise<CommandResult> {
    const words = ['token', 'setup', '--adopt', '--pin-file', this.cardPinFile, ...argv];
    return this.touchstone(words, { timeoutMs: 60_000 });
  }

  /** Sets a card up, with a new PIN and PUK where it still has those of the factory. */
  setUpCard(...argv: readonly string[]): Promise<CommandResult> {
    const secrets = ['--pin-file', this.cardPinFile, '--puk-file', this.pukFile];
    return this.touchstone(['token', 'setup', ...secrets, ...argv], { timeoutMs: 90_000 });
  }

  unlockCard(...argv: readonly string[]): Promise<CommandResult> {
    return this.touchstone(['unlock', '--pin-file', this.cardPinFile, ...argv], { timeoutMs: 60_000 });
  }
}
