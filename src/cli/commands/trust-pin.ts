/** `touchstone trust pin`: which roots are believed. */
import { resolve } from 'node:path';
import { AgentError } from '../../errors/agent-error.js';
import { signersOf } from '../../formats/notary1/signature.js';
import { PassingMemory } from '../../trust/memory.js';
import {
  pinFile,
  readAuthorities,
  readPinDocument,
  replacePin,
  type WrittenPin,
} from '../../trust/pin-file.js';
import { PinSet } from '../../trust/pins.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import { updateCollection } from '../../trust/update.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { renderTable } from '../table.js';
import { openTrust, trustFolder } from '../trust-session.js';

const KEY_ID = /^[0-9a-f]{64}$/;

/** Lists, sets or removes a pin. */
export async function trustPin(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const trustDir = await trustFolder(context, options);
  const named = args[0];
  if (named === undefined) return list(trustDir, context.uid);
  const repository = named.endsWith('*') ? named : parseTrustReference(named).repository;
  const file = pinFile(trustDir);
  if (options.flag('remove')) {
    replacePin(trustDir, context.uid, repository);
    return { json: { repository, pin: null, file }, text: `${repository} is not pinned any more` };
  }
  const pin = await chosenPin(context, options, repository);
  replacePin(trustDir, context.uid, repository, pin);
  return { json: { repository, pin, file }, text: `pinned ${repository}: ${describe(pin)}` };
}

function list(trustDir: string, uid: number): CommandResult {
  const { firstUse, pins } = readPinDocument(trustDir, uid);
  const rows = pins.map((pin) => [pin.repository, describe(pin)]);
  const last = firstUse ? 'others are trusted at first use' : 'nothing else is trusted';
  const text =
    rows.length === 0
      ? `nothing is pinned; ${last}`
      : `${renderTable(['repository', 'root'], rows)}\n${last}`;
  return { json: { firstUse, pins, file: pinFile(trustDir) }, text };
}

async function chosenPin(
  context: CliContext,
  options: OptionValues,
  repository: string,
): Promise<WrittenPin> {
  const certificates = options.list('certificate');
  const ca = options.text('root-ca');
  if (ca !== undefined && certificates.length > 0) {
    throw new AgentError('usage.invalid', { message: 'options --certificate and --root-ca: one of them' });
  }
  if (ca !== undefined) {
    const path = resolve(ca);
    readAuthorities(path);
    return { repository, ca: path };
  }
  if (certificates.length === 0)
    return { repository, certificates: await rootInForce(context, options, repository) };
  const wrong = certificates.find((id) => !KEY_ID.test(id));
  if (wrong === undefined) return { repository, certificates };
  throw new AgentError('usage.invalid', {
    message: 'option --certificate: the id of a root key has 64 lower-case hex digits',
    hint: `"touchstone trust inspect --json ${repository}" shows them in full`,
  });
}

/** Keys that signed the root on the server, which has to follow from what was seen before, if anything was. */
async function rootInForce(
  context: CliContext,
  options: OptionValues,
  repository: string,
): Promise<readonly string[]> {
  if (repository.endsWith('*')) {
    throw new AgentError('usage.invalid', {
      message: 'pinning a prefix: it has no root of its own',
      hint: `add --root-ca FILE, or --certificate ID for a certificate that is made out to ${repository}`,
    });
  }
  const { server, memory } = await openTrust(context, options, repository);
  const passing = new PassingMemory();
  const seen = memory.load(repository);
  if (seen !== undefined) passing.save(repository, seen);
  const pins = new PinSet([], true);
  const { root } = await updateCollection(server, { pins, memory: passing, nowMs: Date.now() });
  const { keys, roles } = root.document;
  const ids = signersOf(root.signedBytes, root.signatures, roles.root.keyids, keys);
  if (seen === undefined)
    context.warn('warning: this is the root that the server shows; compare its id with its publisher');
  return ids;
}

function describe(pin: WrittenPin): string {
  return 'certificates' in pin ? `certificate ${pin.certificates.join(', ')}` : `authorities in ${pin.ca}`;
}
