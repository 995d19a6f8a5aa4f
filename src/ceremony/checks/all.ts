/** The checks in the order in which they are shown: nothing is asked of a token before all of the first list are good. */
import { baseHash, baseLatest, baseThreshold, policyHash, versionNext } from './base.js';
import { diffDeclared, payloadReproduced } from './change.js';
import type { Check, CheckName } from './check.js';
import { clockSane, expiryFormat, expiryWindow } from './dates.js';
import {
  keyAttested,
  keyFirmware,
  keyidMatch,
  keyPop,
  keySeparate,
  keyUnique,
  onlineNotRoot,
  schemeProfile,
} from './keys.js';
import { fieldProfile, nameCharset, patternCharset, sizeLimits } from './profile.js';
import { newReachable, oldReachable, thresholdSane } from './reach.js';
import { previousSealed } from './sealed.js';
import { clientWalk, signatureValid } from './signatures.js';

/** Before a token is touched. */
export const ENTRY_CHECKS: readonly Check[] = [
  policyHash,
  baseHash,
  baseThreshold,
  baseLatest,
  previousSealed,
  versionNext,
  payloadReproduced,
  diffDeclared,
  keyidMatch,
  keyUnique,
  keyPop,
  keyAttested,
  keyFirmware,
  keySeparate,
  schemeProfile,
  expiryFormat,
  expiryWindow,
  thresholdSane,
  oldReachable,
  newReachable,
  nameCharset,
  patternCharset,
  fieldProfile,
  onlineNotRoot,
  clockSane,
  sizeLimits,
  signatureValid,
];

/** Before anything is written that leaves the room as signed. */
export const CLOSING_CHECKS: readonly Check[] = [signatureValid, clientWalk];

/** What a person may answer for, by name. Everything else ends the ceremony. */
export const WAIVABLE: ReadonlySet<CheckName> = new Set([
  'BASE-LATEST',
  'PREVIOUS-SEALED',
  'KEY-ATTESTED',
  'KEY-FIRMWARE',
  'EXPIRY-WINDOW',
  'THRESHOLD-SANE',
  'FIELD-PROFILE',
]);
