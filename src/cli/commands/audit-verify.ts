/** `touchstone audit verify`: needs the files of the log and the public key of the audit leaf, nothing else. */
import { join } from 'node:path';
import type { AuditKey } from '../../audit/checkpoint.js';
import { verifyAuditLog, type AuditReport } from '../../audit/verify.js';
import { rawFromSpki } from '../../crypto/public-key.js';
import { isAgentRole } from '../../keys/roles.js';
import { auditFileNames, auditFiles, rememberedHead } from '../audit-files.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { placesOf } from '../places.js';
import { keysOfFile, loadKeyring } from '../verification-keys.js';
import { counted, renderFields } from '../table.js';

const EXIT_VERIFICATION = 6;

/** Verifies every line; exit status 6 when something does not hold. */
export async function auditVerify(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const places = await placesOf(context);
  const given = invocation.options.text('dir');
  const folder = given ?? places.auditDir;
  // Read before the files: the log may only have grown since.
  const remembered =
    given === undefined ? rememberedHead(join(places.stateDir, 'audit-head.json')) : undefined;
  const keys = await auditKeys(context, invocation.options.text('key-file'));
  const names = auditFileNames(folder);
  const report = await verifyAuditLog(auditFiles(folder, names), { keys, remembered });
  const json = { folder, ...report };
  return { json, text: renderReport(folder, report), ...(report.ok ? {} : { exit: EXIT_VERIFICATION }) };
}

/** The audit leaf of the keyring, or the keys of a file. */
async function auditKeys(context: CliContext, file: string | undefined): Promise<readonly AuditKey[]> {
  if (file === undefined) {
    return (await loadKeyring(context)).leaves().filter((leaf) => isAgentRole(leaf.role));
  }
  return keysOfFile(file).map(({ spki, keyId }) => ({
    keyId,
    algorithm: rawFromSpki(spki).algorithm,
    publicKey: spki.toString('base64'),
  }));
}

/** The report in words. */
function renderReport(folder: string, report: AuditReport): string {
  const facts = renderFields([
    ['audit log', report.ok ? `good: ${folder}` : `DOES NOT VERIFY: ${folder}`],
    ['lines', `${report.lines} in ${counted(report.files, 'file')}`],
    ['signed', report.signed],
    ['refused', report.refused],
    ['sealed', sealedWords(report)],
    ['unsealed', report.unsealed === 0 ? undefined : counted(report.unsealed, 'line')],
    ['head', report.head],
  ]);
  const problems = report.problems.map(({ file, line, what }) => `problem: ${file}:${line}: ${what}`);
  const more = report.problemCount - report.problems.length;
  return [facts, ...problems, ...(more > 0 ? [`and ${more} more problems`] : [])].join('\n');
}

function sealedWords({ checkpoints, sealedThrough }: AuditReport): string {
  if (checkpoints === 0) return 'nothing yet';
  return `through line ${sealedThrough}, by ${counted(checkpoints, 'checkpoint')}`;
}
