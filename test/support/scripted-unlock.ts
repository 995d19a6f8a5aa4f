/** The unlock methods of a scripted agent: one-time keys as the keeper gives them, and a PIN that is right. */
import { HpkeRecipient } from '../../src/crypto/hpke.js';
import type { ErrorCode } from '../../src/errors/codes.js';
import { AgentError } from '../../src/errors/agent-error.js';
import type { Answer, ScriptedRequest } from './scripted-agent.js';

export interface UnlockScript {
  readonly pin: string;
  readonly triesLeft?: 'full' | 'low' | 'last' | 'locked';
  readonly initialised?: boolean;
}

const INFO = Buffer.from('info of this attempt');

export class ScriptedUnlock {
  /** PINs that arrived, opened. */
  readonly entered: string[] = [];
  readonly #script: UnlockScript;
  readonly #attempts = new Map<string, HpkeRecipient>();

  constructor(script: UnlockScript) {
    this.#script = script;
  }

  readonly answer: Answer = (request) => {
    if (request.method === 'unlock.begin') return { result: this.#begin() };
    if (request.method === 'unlock.finish') return this.#finish(request);
    return undefined;
  };

  #begin(): object {
    const recipient = HpkeRecipient.generate();
    const attempt = `attempt-${this.#attempts.size}`;
    this.#attempts.set(attempt, recipient);
    return {
      attempt,
      publicKey: recipient.publicKey.toString('base64'),
      info: INFO.toString('base64'),
      token: 'release',
      serial: '0123abcd',
      label: 'release token',
      triesLeft: this.#script.triesLeft ?? 'full',
      initialised: this.#script.initialised ?? true,
      expiresAt: new Date(Date.now() + 60_000).toISOString(),
    };
  }

  #finish(request: ScriptedRequest): object {
    const pin = request.params['pin'] as Readonly<Record<'attempt' | 'enc' | 'ciphertext', string>>;
    const sealed = { enc: Buffer.from(pin.enc, 'base64'), ciphertext: Buffer.from(pin.ciphertext, 'base64') };
    const entered = this.#attempts.get(pin.attempt)?.open(sealed, INFO).toString('utf8') ?? '';
    this.entered.push(entered);
    if (entered !== this.#script.pin) return { error: wrongPin('token.pin-incorrect') };
    const lease = {
      id: 'l1',
      token: 'release',
      owner: 0,
      keys: [],
      kinds: ['*'],
      usesLeft: null,
      blind: false,
    };
    return { result: { lease: { ...lease, expiresAt: '2030-01-01T00:00:00Z' }, loaded: 1 } };
  }
}

function wrongPin(code: ErrorCode): object {
  const error = new AgentError(code);
  return { code: error.row.rpc, message: error.message, data: error.toData() };
}
