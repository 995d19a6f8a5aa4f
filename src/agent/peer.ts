/** Who asks, taken from the kernel when the connection was made. */
import type { AuditPeer } from '../audit/record.js';

export interface Peer extends AuditPeer {
  /** Absolute path of the socket the connection came in on. */
  readonly socket: string;
}
