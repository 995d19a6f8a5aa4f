/** The target of a request: path and query as the engine takes them apart, or nothing where it and we could differ. */

export interface Target {
  /** Segments of the path, decoded, without the version of the API. */
  readonly segments: readonly string[];
  /** In the order they were written. */
  readonly query: readonly (readonly [string, string])[];
}

const VERSION = /^v[0-9]+(?:\.[0-9]+)*$/;
/** Left after decoding, these mean one thing to one reader and another to the next. */
const AMBIGUOUS = /[%\\;?#\p{Cc}]/u;

/** The target in a request line, or undefined when its form is not the plain one of every client. */
export function parseTarget(uri: string): Target | undefined {
  const mark = uri.indexOf('?');
  const path = mark === -1 ? uri : uri.slice(0, mark);
  if (!path.startsWith('/')) return undefined;
  const segments = path.slice(1).split('/').map(decodeSegment);
  if (!segments.every((one) => one !== undefined)) return undefined;
  const query = parseQuery(mark === -1 ? '' : uri.slice(mark + 1));
  if (query === undefined) return undefined;
  return { segments: VERSION.test(segments[0] ?? '') ? segments.slice(1) : segments, query };
}

function decodeSegment(text: string): string | undefined {
  const decoded = decode(text);
  const isPlain =
    decoded !== undefined && decoded !== '' && decoded !== '.' && decoded !== '..' && !decoded.includes('/');
  return isPlain && !AMBIGUOUS.test(decoded) ? decoded : undefined;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function parseQuery(text: string): Target['query'] | undefined {
  const query: (readonly [string, string])[] = [];
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decodePlus(equals === -1 ? pair : pair.slice(0, equals));
    const value = decodePlus(equals === -1 ? '' : pair.slice(equals + 1));
    // Engines of different ages disagree about semicolons.
    if (name === undefined || value === undefined || pair.includes(';')) return undefined;
    query.push([name, value]);
  }
  return query;
}

/** The value of a parameter, empty when it is missing; undefined when it is there twice, or in another case. */
export function onlyValue({ query }: Target, name: string): string | undefined {
  const given = query.filter(([written]) => written.toLowerCase() === name.toLowerCase());
  const [first] = given;
  if (first === undefined) return '';
  return given.length === 1 && first[0] === name ? first[1] : undefined;
}

function decodePlus(text: string): string | undefined {
  return decode(text.replaceAll('+', ' '));
}
