/** The end of a ceremony: what goes out, or who is missing. */
import { AgentError } from '../errors/agent-error.js';
import { listedSignatures, type BoardRow } from './board.js';
import { judgeAttestation } from './attestation.js';
import { CLOSING_CHECKS } from './checks/all.js';
import type { CheckResult } from './checks/check.js';
import { circumstancesOf } from './checks/signatures.js';
import type { EventOf } from './event.js';
import type { CeremonyFacts } from './facts.js';
import { outputFile, policyOutput } from './file-names.js';
import { holdersAfter, type HolderBook } from './holder-book.js';
import { newestAfter } from './newest.js';
import { sha256Hex, writeForm } from './one-form.js';
import type { CeremonyPolicy } from './policy.js';
import { requireGood, type CeremonySession } from './session.js';
import { writeSignedFile } from './signed-file.js';
import { TOOL_ACTOR } from './transcript.js';

export interface Output {
  readonly file: string;
  readonly bytes: Buffer;
}

export interface Closed {
  readonly outputs: readonly Output[];
  /** Ids of documents that lack signatures. */
  readonly open: readonly string[];
  /** SHA-256 of MANIFEST, which is read aloud. */
  readonly manifest: string;
}

/**
 * Writes `out/`, the last line of the transcript and the manifest. Done again it changes nothing.
 * @param leaveOpen takes what is complete, and leaves the rest for later
 * @throws AgentError `ceremony.threshold` naming who is missing, `ceremony.check`
 */
export function closeCeremony(session: CeremonySession, leaveOpen: boolean): Closed {
  const { facts, transcript, folder } = session;
  requireGood(session.judge());
  const rows = session.board();
  const open = rows.filter(({ isMet }) => !isMet);
  if (open.length > 0 && !leaveOpen) throw missingSignatures(open, facts.holders);
  const complete = completeFacts(facts, rows);
  const results = CLOSING_CHECKS.flatMap((check) => check(complete));
  requireGood(results.map((one) => ({ ...one, waivedBy: '' })));
  const outputs = outputsOf(complete, open.length === 0);
  for (const { file, bytes } of outputs) folder.write(file, bytes);
  const line: EventOf<'closed'> = {
    event: 'closed',
    outputs: outputs.map(({ file, bytes }) => ({ file, sha256: sha256Hex(bytes) })),
    open: open.map(({ document }) => document),
    newest: newestAfter(facts, madeOf(complete, outputs)),
    nextExpiry: complete.documents.length === 0 ? null : facts.request.value.expires,
  };
  if (!isSaid(session, line)) {
    for (const result of results) transcript.add(TOOL_ACTOR, checkEvent(result, ''));
    transcript.add(TOOL_ACTOR, line);
  }
  return { outputs, open: line.open, manifest: folder.seal() };
}

/** The files that leave as signed. @param isAll whether every document is complete, so that holders have changed */
export function outputsOf(facts: CeremonyFacts, isAll: boolean): readonly Output[] {
  const { request, documents, signatures } = facts;
  const where = circumstancesOf(facts);
  const files = signatures.map(({ value }) => value);
  const made = documents.map((document) => ({
    file: outputFile(document.order, document.order.version, request.value.rehearsal),
    bytes: writeSignedFile(document.proposed, listedSignatures(document, files), where),
  }));
  if (!isAll) return made;
  return [...made, { file: policyOutput(request.value.rehearsal), bytes: writeForm(policyAfter(facts)) }];
}

/** The files of complete documents, by their id. @param outputs as `outputsOf` gives them */
export function madeOf(
  { documents }: Pick<CeremonyFacts, 'documents'>,
  outputs: readonly Output[],
): ReadonlyMap<string, Buffer> {
  return new Map(
    documents.flatMap(({ order }, at) => {
      const output = outputs[at];
      return output === undefined ? [] : [[order.id, output.bytes] as const];
    }),
  );
}

/** The facts without documents that lack signatures. */
export function completeFacts(facts: CeremonyFacts, rows: readonly BoardRow[]): CeremonyFacts {
  const done = new Set(rows.filter(({ isMet }) => isMet).map(({ document }) => document));
  return {
    ...facts,
    documents: facts.documents.filter(({ order }) => done.has(order.id)),
    signatures: facts.signatures.filter(({ value }) => done.has(value.document)),
  };
}

/** The line of a check. @param by who waived it; empty else */
export function checkEvent({ check, subject, passed, says }: CheckResult, by: string): EventOf<'check'> {
  const result = passed ? 'PASS' : by === '' ? 'FAIL' : 'WAIVED';
  return { event: 'check', check, subject, result, says, by };
}

/** The policy with the holders that there are from now on. */
function policyAfter({ policy, request, enrolments }: CeremonyFacts): CeremonyPolicy {
  const { action } = request.value;
  const { anchors } = policy.value.tokens;
  const values = enrolments.map(({ value }) => value);
  const attested = values
    .filter((one) => judgeAttestation(one, anchors).state === 'attested')
    .map(({ keyId }) => keyId);
  const holders = holdersAfter(policy.value, values, {
    leaves: 'leaves' in action ? action.leaves : [],
    enters: 'enters' in action ? action.enters : [],
    attested: new Set(attested),
  });
  const derivationKeys = new Set([
    ...policy.value.derivationKeys,
    ...values.flatMap((one) => one.derivationKeys),
  ]);
  return { ...policy.value, holders, derivationKeys: [...derivationKeys].sort() };
}

function isSaid({ transcript }: CeremonySession, line: EventOf<'closed'>): boolean {
  const last = transcript.lines.findLast(
    ({ event }) => event.event === 'closed' || event.event === 'signed',
  )?.event;
  return last?.event === 'closed' && writeForm(last).equals(writeForm(line));
}

function missingSignatures(rows: readonly BoardRow[], holders: HolderBook): AgentError {
  const [first] = rows;
  const unmet = first?.thresholds.find(({ isMet }) => !isMet);
  const names = (unmet?.missing ?? []).map((keyId) => holders.nameOf(keyId));
  return new AgentError('ceremony.threshold', {
    message:
      `closing: ${first?.document ?? ''} has ${unmet?.signed.length ?? 0} of ${unmet?.needed ?? 0} signatures ` +
      `that root ${unmet?.by ?? 0} asks for; missing: ${names.join(', ')}`,
    details: { documents: rows.map(({ document }) => document), missing: names },
  });
}
