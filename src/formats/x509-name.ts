/** Distinguished names (RFC 5280 section 4.1.2.4) of the attributes that Notation trust policies know. */
import { der, derOid, TAG, type DerReader } from '../encoding/asn1.js';
import { AgentError } from '../errors/agent-error.js';

/** In the order they are written. */
const ATTRIBUTES = [
  ['C', '2.5.4.6'],
  ['ST', '2.5.4.8'],
  ['L', '2.5.4.7'],
  ['O', '2.5.4.10'],
  ['OU', '2.5.4.11'],
  ['CN', '2.5.4.3'],
] as const;

const PRINTABLE_STRING = 0x13;
const COUNTRY = /^[A-Z]{2}$/;
/** Upper bound of X.520 for each of them, in characters. */
const MAX_VALUE_LENGTH = 64;
/** Repositories stand in CN, and are longer than X.520 allows; no reader of ours or theirs minds. */
const MAX_CN_LENGTH = 255;

export type AttributeName = (typeof ATTRIBUTES)[number][0];
export type DistinguishedName = Readonly<Partial<Record<AttributeName, string>>>;

/**
 * Reads `C=DE,ST=Berlin,O=Acme`; each attribute at most once, no escapes.
 * @throws AgentError `usage.invalid` naming the attribute
 */
export function parseName(text: string): DistinguishedName {
  const name: Partial<Record<AttributeName, string>> = {};
  for (const part of text.split(',')) {
    const [attribute = '', value = ''] = part.trim().split('=');
    const known = ATTRIBUTES.find(([short]) => short === attribute)?.[0];
    if (known === undefined || name[known] !== undefined)
      throw invalid(
        `"${attribute}" is not one of ${ATTRIBUTES.map(([short]) => short).join(', ')}, each once`,
      );
    checkValue(known, value);
    name[known] = value;
  }
  return name;
}

/** As `parseName` reads it, in the order of the certificate. */
export function formatName(name: DistinguishedName): string {
  return ATTRIBUTES.flatMap(([short]) => (name[short] === undefined ? [] : [`${short}=${name[short]}`])).join(
    ',',
  );
}

/** DER of a name. @throws AgentError `usage.invalid` */
export function encodeName(name: DistinguishedName): Buffer {
  const parts = ATTRIBUTES.flatMap(([short, oid]) => {
    const value = name[short];
    if (value === undefined) return [];
    checkValue(short, value);
    const tag = short === 'C' ? PRINTABLE_STRING : TAG.utf8String;
    return [der(TAG.set, der(TAG.sequence, derOid(oid), der(tag, Buffer.from(value, 'utf8'))))];
  });
  return der(TAG.sequence, ...parts);
}

/** Reads a name of these attributes and no others. @throws AgentError of the reader */
export function decodeName(reader: DerReader): DistinguishedName {
  const name: Partial<Record<AttributeName, string>> = {};
  const parts = reader.inside(TAG.sequence);
  while (!parts.isAtEnd) {
    const set = parts.inside(TAG.set);
    const pair = set.inside(TAG.sequence);
    const oid = pair.element(TAG.oid);
    const known = ATTRIBUTES.find(([, dotted]) => derOid(dotted).equals(oid))?.[0];
    const value = pair.content(known === 'C' ? PRINTABLE_STRING : TAG.utf8String).toString('utf8');
    pair.end();
    set.end();
    if (known === undefined || name[known] !== undefined)
      throw reader.malformed('a name has an attribute of another kind');
    name[known] = value;
  }
  return name;
}

function checkValue(attribute: AttributeName, value: string): void {
  if (attribute === 'C' && !COUNTRY.test(value)) throw invalid('C is two capital letters');
  const longest = attribute === 'CN' ? MAX_CN_LENGTH : MAX_VALUE_LENGTH;
  if (value === '' || value.length > longest || !/^[^\p{Cc}",+<>;\\=]+$/u.test(value))
    throw invalid(`${attribute} has 1 to ${longest} characters, none of them , + = < > ; " \\`);
}

function invalid(problem: string): AgentError {
  return new AgentError('usage.invalid', { message: `reading a subject: ${problem}` });
}
