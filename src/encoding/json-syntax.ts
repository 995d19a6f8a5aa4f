/** Where JSON text goes wrong. Used only after parsing failed: the platform's parser does not say it reliably. */

const TOKEN =
  /[ \t\r\n]*(?:([[\]{}:,])|("[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*")|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null))/y;
const SPACE = /[ \t\r\n]*/y;

type Expected = 'value' | 'first-value' | 'key' | 'first-key' | 'colon' | 'comma' | 'end';
type Token = 'string' | 'scalar' | '[' | ']' | '{' | '}' | ':' | ',';

/** Offset of the first character that cannot stand where it stands; the length of the text when it ends early. */
export function syntaxErrorOffset(text: string): number {
  const open: Token[] = [];
  let expected: Expected = 'value';
  let offset = 0;
  while (offset < text.length) {
    TOKEN.lastIndex = offset;
    const match = TOKEN.exec(text);
    if (match === null) break;
    const [all, mark, string] = match;
    const token = string !== undefined ? 'string' : mark !== undefined ? (mark as Token) : 'scalar';
    const next = step(expected, token, open);
    if (next === undefined) break;
    expected = next;
    offset += all.length;
  }
  SPACE.lastIndex = offset;
  return offset + (SPACE.exec(text)?.[0].length ?? 0);
}

function step(expected: Expected, token: Token, open: Token[]): Expected | undefined {
  switch (expected) {
    case 'value':
    case 'first-value':
      if (token === ']' && expected === 'first-value') return close(open);
      return value(token, open);
    case 'key':
    case 'first-key':
      if (token === '}' && expected === 'first-key') return close(open);
      return token === 'string' ? 'colon' : undefined;
    case 'colon':
      return token === ':' ? 'value' : undefined;
    case 'comma':
      if (token === ',') return open.at(-1) === '{' ? 'key' : 'value';
      return token === (open.at(-1) === '{' ? '}' : ']') ? close(open) : undefined;
    case 'end':
      return undefined;
  }
}

function value(token: Token, open: Token[]): Expected | undefined {
  if (token === 'string' || token === 'scalar') return open.length === 0 ? 'end' : 'comma';
  if (token !== '{' && token !== '[') return undefined;
  open.push(token);
  return token === '{' ? 'first-key' : 'first-value';
}

function close(open: Token[]): Expected {
  open.pop();
  return open.length === 0 ? 'end' : 'comma';
}
