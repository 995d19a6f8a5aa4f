/** The transcript for people, made from its lines and the request that they are of: as text, and as a page that prints. */
import { wordsOf } from './event-words.js';
import type { TranscriptLine } from './transcript-line.js';
import { spokenHash } from './words.js';

/** Plain text, one paragraph a line. @param about what was decided and why, in sentences; empty when the request cannot be read */
export function transcriptText(lines: readonly TranscriptLine[], about: string): string {
  const shown = lines.map(
    (line) =>
      `${String(line.seq).padStart(4)}  ${line.time}  ${line.actor.padEnd(12)}  ${wordsOf(line.event)}`,
  );
  return [
    ...(about === '' ? [] : [about, '']),
    ...shown,
    '',
    'The last line has the hash',
    ...spokenHash(headOf(lines)).map((one) => `  ${one}`),
    '',
  ].join('\n');
}

/** One HTML file: no script, nothing loaded, black on white. @param about as of `transcriptText` */
export function transcriptPage(lines: readonly TranscriptLine[], about: string): string {
  const first = lines.find(({ event }) => event.event === 'opened')?.event;
  const title = first?.event === 'opened' ? `Ceremony ${first.ceremony}` : 'A ceremony';
  const rows = lines.map((line) => {
    const mark = markOf(line);
    return (
      `<tr${mark === '' ? '' : ` class="${mark}"`}><td>${line.seq}</td><td>${escaped(line.time.slice(11, 19))}</td>` +
      `<td>${escaped(line.actor)}</td><td>${escaped(wordsOf(line.event))}</td><td><code>${line.hash.slice(0, 8)}</code></td></tr>`
    );
  });
  const day = lines[0]?.time.slice(0, 10) ?? '';
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style></head><body>`,
    `<h1>${escaped(title)}</h1>`,
    `<p>Begun on ${escaped(day)}. ${lines.length} lines, each with the hash of the one before; verified with "touchstone ceremony verify".</p>`,
    ...(about === '' ? [] : ['<h2>What was decided</h2>', `<pre>${escaped(about)}</pre>`]),
    '<table><thead><tr><th>line</th><th>time</th><th>who</th><th>what happened</th><th>hash</th></tr></thead><tbody>',
    ...rows,
    '</tbody></table>',
    '<h2>Hash of the last line</h2>',
    `<pre>${escaped(spokenHash(headOf(lines)).join('\n'))}</pre>`,
    '</body></html>',
    '',
  ].join('\n');
}

const STYLE =
  'body{font:14px/1.45 serif;margin:2em auto;max-width:60em;color:#000;background:#fff}' +
  'table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #999;padding:.25em .5em;text-align:left;vertical-align:top}' +
  'td:nth-child(4){overflow-wrap:anywhere}code,pre{font-family:monospace}pre{white-space:pre-wrap;overflow-wrap:anywhere}.bad{font-weight:bold}.bad td{border-left:3px solid #000}' +
  'tr{break-inside:avoid}@media print{body{margin:0;font-size:11px}}';

/** What a reader must not overlook. */
function markOf({ event }: TranscriptLine): string {
  if (event.event === 'check') return event.result === 'PASS' ? '' : 'bad';
  return event.event === 'error' || event.event === 'deviation' || event.event === 'aborted' ? 'bad' : '';
}

function headOf(lines: readonly TranscriptLine[]): string {
  return lines.at(-1)?.hash ?? '';
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
