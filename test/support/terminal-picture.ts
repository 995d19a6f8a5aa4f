/** What a terminal showed, as a picture for a page: SVG, text that can be selected and searched. */

/** Cursor and colours: what a line editor writes while somebody types. */
// eslint-disable-next-line no-control-regex -- ESC begins them
const CONTROL_SEQUENCE = /\u001b\[[0-9;?]*[A-Za-z]/g;
const CHARACTER_WIDTH = 8.4;
const LINE_HEIGHT = 20;
const MARGIN = 16;
const FRAME = 'fill="#1d2126" stroke="#3a424c"';
const FONT = 'font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14"';

/** @param columns where longer lines go on in the next one */
export function terminalPicture(title: string, shown: string, columns = 110): string {
  const lines = shown
    .replaceAll(CONTROL_SEQUENCE, '')
    .replaceAll(/\r+\n/g, '\n')
    .trimEnd()
    .split('\n')
    .flatMap((line) => folded(line, columns));
  const width = Math.ceil(Math.max(...lines.map(({ length }) => length)) * CHARACTER_WIDTH) + 2 * MARGIN;
  const height = lines.length * LINE_HEIGHT + 2 * MARGIN;
  const rows = lines.map((line, at) => {
    const colour = line.startsWith('$ ') ? '#8fd18f' : '#e6e6e6';
    const y = MARGIN + (at + 1) * LINE_HEIGHT - 5;
    return `<text x="${MARGIN}" y="${y}" fill="${colour}" xml:space="preserve">${escaped(line)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ${FONT}>`,
    `<title>${escaped(title)}</title>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6" ${FRAME}/>`,
    ...rows,
    '</svg>',
    '',
  ].join('\n');
}

/** At spaces where there are some; what follows is indented like the line. */
function folded(line: string, columns: number): readonly string[] {
  if (line.length <= columns) return [line];
  const indent = /^[ -]*/.exec(line)?.[0].length ?? 0;
  const space = line.lastIndexOf(' ', columns);
  const at = space > indent ? space : columns;
  return [line.slice(0, at), ...folded(' '.repeat(indent) + line.slice(at).trimStart(), columns)];
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
