/** Fields that several files of a ceremony share. */
import { z } from 'zod';
import { KEY_ALGORITHMS } from '../crypto/algorithms.js';
import { isJsonObject, type JsonObject } from '../formats/json-object.js';

const MAX_WORDS = 2_000;

/** Hex SHA-256; also the id of a key, which is that of its DER SubjectPublicKeyInfo. */
export const sha256Field = z.string().regex(/^[0-9a-f]{64}$/);

/** RFC 3339 in whole seconds, Z; a day that exists. */
export const timeField = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  .refine((text) => {
    const ms = Date.parse(text);
    return !Number.isNaN(ms) && new Date(ms).toISOString() === text.replace('Z', '.000Z');
  });

/** A person: `alice`. */
export const holderField = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/);

/** Of a ceremony: `acme-root-2026`. */
export const ceremonyIdField = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/);

/** Serial number as the token itself says it. */
export const serialField = z.string().regex(/^[\x21-\x7e]{1,64}$/);

/** Words of people and devices: one line. */
export const wordsField = z
  .string()
  .max(MAX_WORDS)
  .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u);

export const firmwareField = z.string().regex(/^\d{1,3}\.\d{1,3}\.\d{1,3}$/);

/** Base64 of DER SubjectPublicKeyInfo. */
export const spkiField = z.base64().min(1).max(768);

export const algorithmField = z.enum(KEY_ALGORITHMS);

/** PEM, one certificate or several. */
export const pemField = z.string().max(32_768).startsWith('-----BEGIN CERTIFICATE-----\n');

export const versionField = z.int().min(1);

export const jsonObjectField = z.custom<JsonObject>(isJsonObject);
