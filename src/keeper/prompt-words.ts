/** What a person reads before typing a PIN: first what the kernel and the token say, then what programs say of themselves. */
import { keyNameOf } from '../keys/key-name.js';
import { processChain } from '../platform/process-chain.js';
import type { HostTokenInfo } from '../tokenhost/messages.js';
import { rawKeyId, type KeyShelf } from './key-shelf.js';
import type { TokenUnit } from './token-unit.js';
import type { KeeperCalls, TriesLeft } from './wire.js';

/** Names shown before the rest is counted. */
const MAX_NAMES = 3;
/** A line of Assuan has 1,000 bytes with everything escaped; whoever names kinds must not push the facts out. */
const MAX_LIST_CHARACTERS = 120;

const TRIES_WORDS: Readonly<Record<TriesLeft, string>> = {
  full: 'all tries left',
  low: 'FEW TRIES LEFT',
  last: 'LAST TRY before the PIN locks',
  locked: 'locked',
};

export interface AskedFor {
  readonly unit: TokenUnit;
  readonly info: HostTokenInfo;
  readonly params: KeeperCalls['unlock.ask']['params'];
  readonly shelf: KeyShelf;
}

/** Description and prompt. */
export function describeAsking({ unit, info, params, shelf }: AskedFor): {
  readonly description: string;
  readonly prompt: string;
} {
  // Nobody counts the tries of a passphrase.
  const isPassphrase = unit.config.kind === 'yubikey-otp';
  const tries = isPassphrase ? '' : `, ${TRIES_WORDS[info.triesLeft]}`;
  const chain = processChain(params.pid);
  return {
    description: [
      `Token "${info.label === '' ? unit.config.name : plain(info.label)}", serial ${plain(info.serial)}${tries}`,
      `Loads ${keyWords(params, shelf)}${kindWords(params)}${limitWords(params)}.`,
      `Asked for by uid ${params.owner}, process ${params.pid}.`,
      ...(chain.length === 0
        ? []
        : ['', `Not checked, the process calls itself: ${chain.join(', started by ')}`]),
    ].join('\n'),
    prompt: isPassphrase ? 'Passphrase:' : 'PIN:',
  };
}

function keyWords({ lease }: AskedFor['params'], shelf: KeyShelf): string {
  if (lease.keys === undefined) return 'every key of the token';
  const names = lease.keys.map((id) => {
    const key = shelf.find(rawKeyId(id));
    return key === undefined ? id.slice(0, 16) : keyNameOf(key.record);
  });
  return `the key${names.length === 1 ? '' : 's'} ${listed(names)}`;
}

function kindWords({ lease }: AskedFor['params']): string {
  const blind = lease.blind === true ? ', ALSO FOR BARE DIGESTS' : '';
  return `${lease.kinds === undefined ? '' : ` for ${listed(lease.kinds)}`}${blind}`;
}

function limitWords({ lease }: AskedFor['params']): string {
  const time = lease.seconds === undefined ? '' : `, at most ${lease.seconds} s`;
  return `${time}${lease.uses === undefined ? '' : `, ${lease.uses} signatures`}`;
}

function listed(words: readonly string[]): string {
  const rest = words.length - MAX_NAMES;
  const shown = words.slice(0, MAX_NAMES).map((word) => cut(plain(word)));
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function cut(word: string): string {
  return word.length <= MAX_LIST_CHARACTERS ? word : `${word.slice(0, MAX_LIST_CHARACTERS)}…`;
}

/** Control and format characters could draw other lines, or the same one the other way round. */
function plain(text: string): string {
  return text.replaceAll(/\p{C}/gu, '?').replaceAll(/[\u2028\u2029]/g, '?');
}
