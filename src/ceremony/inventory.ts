/** Who holds which token, as stored folders of ceremonies know it: for the day on which a maker warns of some of them. */
import { AgentError } from '../errors/agent-error.js';
import { isFirmwareBefore } from '../formats/firmware-version.js';
import { judgeAttestation } from './attestation.js';
import { keyIdOfSpki, type Enrolment } from './enrolment.js';
import type { CeremonyFacts } from './facts.js';
import { policyOutput } from './file-names.js';
import type { CeremonyFolder } from './folder.js';
import { loadFolder } from './loading.js';
import { readPolicy, type CeremonyPolicy, type HeldToken } from './policy.js';

/** One root key, and the token that it is on. */
export interface InventoryRow {
  readonly holder: string;
  readonly keyId: string;
  readonly serial: string;
  readonly model: string;
  /** Null where nobody knows. */
  readonly firmware: string | null;
  readonly pinPolicy: Enrolment['pinPolicy'];
  readonly touchPolicy: Enrolment['touchPolicy'];
  readonly isAttested: boolean;
  /** The ceremony that the key was enrolled for; null where its folder is not among these. */
  readonly enrolledFor: string | null;
  /** Older than was asked for, or nobody knows. */
  readonly isAffected: boolean;
}

/** The holders of one root, after its last ceremony. */
export interface Inventory {
  /** What it is the root of, as its policy says. */
  readonly name: string;
  /** Id of that ceremony. */
  readonly ceremony: string;
  readonly tokens: readonly InventoryRow[];
}

/** A stored ceremony, with the holders that there were after it. */
export interface StoredCeremony {
  readonly facts: CeremonyFacts;
  readonly after: CeremonyPolicy;
}

/**
 * Reads a folder. One that is not closed yet counts with the holders of before.
 * @throws AgentError `ceremony.check` naming what is not as MANIFEST says, `ceremony.file`, `ceremony.folder`
 */
export function readStored(folder: CeremonyFolder): StoredCeremony {
  const { facts, results } = loadFolder(folder);
  const failed = results.find(({ passed }) => !passed);
  if (facts === undefined || failed !== undefined)
    throw new AgentError('ceremony.check', {
      message: `${failed?.check ?? 'REQUEST-HASH'}: ${failed?.says ?? 'the files cannot be read'}`,
    });
  if (facts.request.value.rehearsal)
    throw new AgentError('ceremony.folder', { message: `reading ${folder.path}: it is a rehearsal` });
  const after = folder.read(policyOutput(false));
  return { facts, after: after === undefined ? facts.policy.value : readPolicy(after).value };
}

/** By root: the last ceremony says who holds keys, all of them what is known of these. @param minimum oldest firmware that is good */
export function takeInventory(
  stored: readonly StoredCeremony[],
  minimum: string | undefined,
): readonly Inventory[] {
  const enrolments = new Map(
    stored.flatMap(({ facts }) => facts.enrolments.map(({ value }) => [value.keyId, value] as const)),
  );
  const names = [...new Set(stored.map(({ after }) => after.name))].sort();
  return names.flatMap((name) => {
    const last = stored.filter(({ after }) => after.name === name).reduce(later);
    const { anchors } = last.after.tokens;
    const tokens = last.after.holders.flatMap((holder) =>
      holder.tokens.map((token) =>
        rowOf(holder.name, token, enrolments.get(keyIdOfSpki(token.publicKey)), { anchors, minimum }),
      ),
    );
    return [{ name, ceremony: last.facts.request.value.id, tokens }];
  });
}

function later(one: StoredCeremony, other: StoredCeremony): StoredCeremony {
  return one.facts.request.value.created < other.facts.request.value.created ? other : one;
}

function rowOf(
  holder: string,
  { serial, model, firmware, attested, publicKey }: HeldToken,
  enrolment: Enrolment | undefined,
  { anchors, minimum }: { readonly anchors: readonly string[]; readonly minimum: string | undefined },
): InventoryRow {
  return {
    holder,
    keyId: keyIdOfSpki(publicKey),
    serial,
    model,
    firmware,
    pinPolicy: enrolment?.pinPolicy ?? 'unknown',
    touchPolicy: enrolment?.touchPolicy ?? 'unknown',
    isAttested:
      enrolment === undefined ? attested : judgeAttestation(enrolment, anchors).state === 'attested',
    enrolledFor: enrolment?.ceremony ?? null,
    isAffected: minimum !== undefined && (firmware === null || isFirmwareBefore(firmware, minimum)),
  };
}
