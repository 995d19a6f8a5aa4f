/** `pins.toml` in the trust folder: what roots are believed, written by `touchstone trust pin` and by people. */
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { tomlProblem } from '../encoding/toml-problem.js';
import { parseToml } from '../encoding/toml.js';
import { AgentError } from '../errors/agent-error.js';
import { splitCertificates } from '../formats/notary1/certificate-chain.js';
import { fileFault } from '../platform/errno.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import { ensurePrivateFolder } from '../platform/store/private-folder.js';
import { readTrustedFile } from '../platform/store/trusted-file.js';
import { PinSet, type Pin } from './pins.js';

/** A pin as it is written: authorities by the path of their file. */
export type WrittenPin =
  | { readonly repository: string; readonly certificates: readonly string[] }
  | { readonly repository: string; readonly ca: string };

export interface PinDocument {
  readonly firstUse: boolean;
  readonly pins: readonly WrittenPin[];
}

const MAX_PINS = 1_000;
const HEADER =
  '# Roots that are believed. "touchstone trust pin" writes this file anew; comments are not kept.';

const pinSchema = z
  .strictObject({
    // A prefix must say where it ends: a bare name would also fit names that only begin alike.
    repository: z
      .string()
      .regex(
        /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,254}\*?$/,
        'not a repository, or a prefix of repositories and "*"',
      ),
    certificates: z
      .array(z.string().regex(/^[0-9a-f]{64}$/, 'not the id of a root key: 64 lower-case hex digits'))
      .min(1)
      .max(64)
      .optional(),
    ca: z.string().min(1).optional(),
  })
  .refine(
    (pin) => (pin.certificates === undefined) !== (pin.ca === undefined),
    'needs certificates or ca, one of them',
  );

const schema = z.strictObject({
  version: z.literal(1, 'not a version this release knows; write version = 1'),
  first_use: z.boolean().default(true),
  pin: z.array(pinSchema).max(MAX_PINS).default([]).superRefine(checkNames),
});

/** Path of the file in a trust folder. */
export function pinFile(trustFolder: string): string {
  return join(trustFolder, 'pins.toml');
}

/**
 * What the file says; nothing is pinned and first use is trusted when there is none.
 * @throws AgentError `notary.policy` with line and column, or when others can change the file
 */
export function readPinDocument(trustFolder: string, uid: number): PinDocument {
  const file = pinFile(trustFolder);
  const text = readTrustedFile(file, uid, 'notary.policy');
  if (text === undefined) return { firstUse: true, pins: [] };
  const document = parseToml(text, file, 'notary.policy');
  const parsed = schema.safeParse(document.value);
  if (!parsed.success) throw tomlProblem({ document, file, code: 'notary.policy' }, parsed.error.issues);
  const pins = parsed.data.pin.map(({ repository, certificates, ca }): WrittenPin =>
    certificates === undefined ? { repository, ca: ca ?? '' } : { repository, certificates },
  );
  return { firstUse: parsed.data.first_use, pins };
}

/**
 * The pins with their authorities read; a relative path begins at the trust folder.
 * @throws AgentError `notary.policy`, `usage.file`
 */
export function loadPins(trustFolder: string, uid: number, firstUse = true): PinSet {
  const document = readPinDocument(trustFolder, uid);
  const pins = document.pins.map((pin): Pin => {
    if ('certificates' in pin) return pin;
    const path = isAbsolute(pin.ca) ? pin.ca : join(dirname(pinFile(trustFolder)), pin.ca);
    return { repository: pin.repository, authorities: readAuthorities(path) };
  });
  return new PinSet(pins, firstUse && document.firstUse);
}

/** Puts a pin in the place of the one for the same repository; without one that one is only taken out. */
export function replacePin(trustFolder: string, uid: number, repository: string, pin?: WrittenPin): void {
  const { firstUse, pins } = readPinDocument(trustFolder, uid);
  const others = pins.filter((one) => one.repository !== repository);
  const kept = pin === undefined ? others : [...others, pin];
  ensurePrivateFolder(trustFolder, 'state');
  writeFileAtomic(pinFile(trustFolder), written({ firstUse, pins: kept }));
}

/** Certificates of authorities, PEM. @throws AgentError `usage.file`, `notary.document` */
export function readAuthorities(path: string): Extract<Pin, { authorities: unknown }>['authorities'] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AgentError('usage.file', { message: `reading ${path}: ${fileFault(cause)}`, cause });
  }
  const found = splitCertificates(text.replaceAll('\r\n', '\n'));
  if (found.length > 0 && found.every(({ ca }) => ca)) return found;
  throw new AgentError('notary.document', {
    message: `reading ${path}: there is no authority, or a certificate that is none`,
    hint: 'give the PEM file of the authority that issues the root certificates',
  });
}

function written({ firstUse, pins }: PinDocument): string {
  const blocks = pins.map((pin) => {
    // What the schema lets through needs no escapes but these, which JSON writes as TOML does.
    const value =
      'certificates' in pin
        ? `certificates = ${JSON.stringify(pin.certificates)}`
        : `ca = ${JSON.stringify(pin.ca)}`;
    return `\n[[pin]]\nrepository = ${JSON.stringify(pin.repository)}\n${value}\n`;
  });
  return `${HEADER}\nversion = 1\nfirst_use = ${firstUse}\n${blocks.join('')}`;
}

function checkNames(pins: readonly { readonly repository: string }[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  for (const [index, { repository }] of pins.entries()) {
    if (seen.has(repository)) {
      context.addIssue({
        code: 'custom',
        path: [index, 'repository'],
        message: `"${repository}" is pinned twice`,
      });
    }
    seen.add(repository);
  }
}
