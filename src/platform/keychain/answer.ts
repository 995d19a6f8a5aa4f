/** What the keychain process says to the agent: one byte, then the value or the reason. */
export const KEYCHAIN_ANSWER = { done: 0x2b, nothing: 0x2d, failed: 0x21 } as const;

/** Service under which keychains list what is ours. */
export const KEYCHAIN_SERVICE = 'touchstone';

export const KEYCHAIN_ACTIONS = ['read', 'write', 'erase'] as const;
export type KeychainAction = (typeof KEYCHAIN_ACTIONS)[number];

/** A header and the longest PIN, with room to spare. Bytes. */
export const MAX_STORED_BYTES = 1024;
