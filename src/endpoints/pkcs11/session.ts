/** One session of an application: what it is searching for and what it is about to sign. */
import type { KeyObject } from './key-objects.js';
import type { SignInput } from './sign-input.js';

export interface SignOperation {
  readonly key: KeyObject;
  readonly input: SignInput;
}

export class Session {
  readonly handle: number;
  readonly flags: number;
  /** Handles that a search has found and not yet told. */
  found: number[] | undefined;
  signing: SignOperation | undefined;

  constructor(handle: number, flags: number) {
    this.handle = handle;
    this.flags = flags;
  }
}
