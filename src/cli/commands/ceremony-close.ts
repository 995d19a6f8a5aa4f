/** `touchstone ceremony close`: what leaves the room. */
import { closeCeremony } from '../../ceremony/closing.js';
import { sha256Hex } from '../../ceremony/one-form.js';
import { pgpWords } from '../../ceremony/words.js';
import { openCeremony, renderTranscript } from '../ceremony-session.js';
import { boardText, hashText } from '../ceremony-text.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';

/** @throws AgentError `ceremony.threshold` naming who is missing, `ceremony.check` */
export function ceremonyClose(_context: CliContext, { args, options }: Invocation): Promise<CommandResult> {
  using session = openCeremony(args[0]);
  const { outputs, open, manifest } = closeCeremony(session, options.flag('leave-open'));
  renderTranscript(session);
  const files = outputs.map(({ file, bytes }) => ({ file, sha256: sha256Hex(bytes) }));
  const text = [
    boardText(session.board(), session.facts.holders),
    ...(files.length === 0 ? [] : [files.map(({ file, sha256 }) => `${sha256}  ${file}`).join('\n')]),
    hashText('MANIFEST', manifest),
    open.length === 0
      ? 'Have those who signed seal the transcript: "touchstone ceremony seal". The hash of MANIFEST to read aloud is the one it shows.'
      : `Left open: ${open.join(', ')}`,
  ].join('\n\n');
  return Promise.resolve({
    json: { outputs: files, open, manifest, manifestWords: pgpWords(manifest) },
    text,
  });
}
