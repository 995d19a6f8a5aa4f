/** Shapes of `methods.ts` about setting up a card. */
import { z } from 'zod';
import { errorData, pinPolicy, touchPolicy } from './method-shapes.js';

/** How the keys of a card are to be used. */
export const cardChoices = {
  rootTouch: z.enum(['always', 'cached']).optional().describe('cards only; default always'),
  derivationTouch: touchPolicy.optional().describe('cards only; default cached'),
} as const;

const slotPlan = z.object({
  slot: z.string(),
  action: z
    .enum(['make', 'replace', 'keep', 'adopt'])
    .describe('replace: what is there is lost; keep: an interrupted set-up has made it'),
  pin: pinPolicy.optional(),
  touch: touchPolicy.optional(),
});

export const cardPlanSchema = z.object({
  token: z.string(),
  serial: z.string(),
  firmware: z.string(),
  pin: z.enum(['change', 'enter']).describe('change: the one of the factory becomes the one that is entered'),
  puk: z.enum(['change', 'keep', 'unknown']),
  managementKey: z
    .enum(['change', 'use'])
    .optional()
    .describe('change: a random one is stored on the card; use: one is stored there'),
  root: slotPlan,
  derivation: slotPlan,
  vendor: z
    .enum(['yubico', 'configured', 'unchecked'])
    .describe('whose root vouches for the card, of those in attestation-roots'),
  warnings: z.array(
    z.enum([
      'ecdsa-side-channel',
      'roca',
      'hidden-keys',
      'puk-unknown',
      'attestation-unchecked',
      'without-touch',
    ]),
  ),
  refusals: z.array(errorData).describe('why it cannot be done as things are'),
});

/** In the order of a set-up. */
export const setupStep = z.enum([
  'pin',
  'puk',
  'management-key',
  'root-key',
  'derivation-key',
  'certificates',
  'keyring',
]);
