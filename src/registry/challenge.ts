/** `WWW-Authenticate` (RFC 9110 section 11.6.1) as registries send it. */

export interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const PARAMETER = /\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)/y;

/** The first challenge of a header; undefined when it is of a scheme that this client does not know, or cannot be read. */
export function parseChallenge(header: string): Challenge | undefined {
  const space = header.indexOf(' ');
  const scheme = (space === -1 ? header : header.slice(0, space)).toLowerCase();
  if (scheme !== 'basic' && scheme !== 'bearer') return undefined;
  const parameters = new Map<string, string>();
  PARAMETER.lastIndex = scheme.length;
  for (let match = PARAMETER.exec(header); match !== null; match = PARAMETER.exec(header)) {
    const [, name = '', quoted, bare = ''] = match;
    parameters.set(name.toLowerCase(), quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1'));
  }
  return { scheme, parameters };
}
