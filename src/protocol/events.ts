/** Notifications `event` that a subscribed client hears while it waits. */
import type { SetupStep, TokenStatusInfo } from './methods.js';

export type AgentEvent =
  | { readonly event: 'token'; readonly token: TokenStatusInfo }
  | { readonly event: 'unlocked'; readonly token: string; readonly expiresAt: string }
  | { readonly event: 'locked'; readonly token: string; readonly reason: string }
  | {
      readonly event: 'waiting';
      readonly id: number | string;
      readonly token: string;
      readonly ahead: number;
    }
  /** A key blinks: somebody has to touch it. */
  | { readonly event: 'touch-needed'; readonly token: string; readonly secondsLeft: number }
  /** Tries of a PIN were used up that nobody entered here: by the token's driver, or by another program. */
  | {
      readonly event: 'pin-alert';
      readonly token: string;
      readonly serial: string;
      readonly by: 'driver' | 'other';
      readonly before: number;
      readonly after: number;
    }
  /** A command waits for a token that is not there: somebody has to insert it. */
  | { readonly event: 'token-absent'; readonly token: string; readonly secondsLeft: number }
  /** A set-up of a card has come to this step. */
  | { readonly event: 'setup'; readonly token: string; readonly step: SetupStep }
  | { readonly event: 'policy'; readonly problem: { readonly code: string; readonly message: string } | null }
  | { readonly event: 'stopping' };
