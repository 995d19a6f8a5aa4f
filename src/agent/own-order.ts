/** Orders for the agent's own documents: audit checkpoints and the keyring. Clients' orders come from agent/sign alone. */
import type { LeafRecord, RootRecord } from '../keys/key-record.js';
import type { Signed } from '../keeper/wire.js';
import { asAgentError } from '../errors/agent-error.js';
import type { KeeperLink } from './keeper-link.js';

const DEADLINE_MS = 30_000;

export interface OwnOrder {
  readonly signer: RootRecord | LeafRecord;
  readonly payloadType: string;
  /** DSSE pre-authentication encoding of the document. */
  readonly message: Buffer;
  /** Called in the turn in which the signature comes, so that its line is staged in the order of the keeper's count. */
  readonly onSigned: (signed: Signed) => void;
}

/** @throws AgentError what the keeper refuses, or what `onSigned` throws */
export function orderOwn(keeper: KeeperLink, order: OwnOrder): Promise<Signed> {
  return new Promise((resolve, reject) => {
    keeper.order(
      {
        keyId: Buffer.from(order.signer.keyId, 'hex').toString('latin1'),
        kind: `dsse:${order.payloadType}`,
        blind: false,
        deadlineMs: DEADLINE_MS,
        message: order.message,
      },
      {
        onSigned: (signed) => {
          try {
            order.onSigned(signed);
            resolve(signed);
          } catch (error) {
            reject(asAgentError(error));
          }
        },
        onRefused: reject,
      },
    );
  });
}
