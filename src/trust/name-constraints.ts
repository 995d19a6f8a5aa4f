/**
 * Name constraints of an authority (RFC 5280, section 4.2.1.10) as the stock client has them from Go: about hosts, addresses, mail and URIs
 * that a certificate names beside its subject. The common name, which is the repository, is none of them.
 */
import { DerReader, contextTag, TAG } from '../encoding/asn1.js';

const WHAT = 'reading the names of a certificate';
const CODE = 'notary.document';
const PERMITTED = contextTag(0);
const EXCLUDED = contextTag(1);
/** Tags of GeneralName, without those that are passed over. */
const KINDS = { 0x81: 'mail', 0x82: 'host', 0x86: 'uri', 0x87: 'address' } as const;
const LABEL = /^[!-~]+$/;
const IP_V4 = 4;
const IP_V6 = 16;

type NameKind = (typeof KINDS)[keyof typeof KINDS];

interface Name {
  /** Undefined for a kind that is passed over. */
  readonly kind: NameKind | undefined;
  readonly value: Buffer;
}

export interface NameConstraints {
  readonly permitted: readonly Name[];
  readonly excluded: readonly Name[];
}

/** @param extension inside of nameConstraints @throws AgentError `notary.document` */
export function readNameConstraints(extension: Buffer): NameConstraints {
  const body = new DerReader(extension, WHAT, CODE).inside(TAG.sequence);
  const permitted = body.peek() === PERMITTED ? subtrees(body.inside(PERMITTED)) : [];
  const excluded = body.peek() === EXCLUDED ? subtrees(body.inside(EXCLUDED)) : [];
  body.end();
  return { permitted, excluded };
}

/** @param extension inside of subjectAltName @throws AgentError `notary.document` */
export function readAlternativeNames(extension: Buffer): readonly Name[] {
  const list = new DerReader(extension, WHAT, CODE).inside(TAG.sequence);
  const names: Name[] = [];
  while (!list.isAtEnd) names.push(nameIn(list));
  return names;
}

/** Whether all names are of kinds that are looked at. */
export function areKnown(names: readonly Name[]): boolean {
  return names.every(({ kind }) => kind !== undefined);
}

/** Whether the constraints let all of these names be. A name that cannot be read is not let be where its kind is constrained. */
export function permits({ permitted, excluded }: NameConstraints, names: readonly Name[]): boolean {
  return names.every((name) => {
    if (name.kind === undefined) return true;
    const wanted = permitted.filter(({ kind }) => kind === name.kind);
    const barred = excluded.filter(({ kind }) => kind === name.kind);
    if (wanted.length === 0 && barred.length === 0) return true;
    const covers = coverage(name.kind, name.value);
    if (covers === undefined || barred.some(({ value }) => covers(value))) return false;
    return wanted.length === 0 || wanted.some(({ value }) => covers(value));
  });
}

function subtrees(list: DerReader): readonly Name[] {
  const names: Name[] = [];
  // Minimum and maximum are not used by anybody, and passed over.
  while (!list.isAtEnd) names.push(nameIn(list.inside(TAG.sequence)));
  return names;
}

function nameIn(reader: DerReader): Name {
  const tag = reader.peek() ?? 0;
  const value = reader.content(tag);
  const known: Readonly<Record<number, NameKind | undefined>> = KINDS;
  return { kind: known[tag], value };
}

/** Tells for a constraint whether it covers the name; undefined for a name that cannot be read. */
function coverage(kind: NameKind, value: Buffer): ((constraint: Buffer) => boolean) | undefined {
  if (kind === 'address') {
    const isAddress = value.length === IP_V4 || value.length === IP_V6;
    return isAddress ? (range) => isInRange(value, range) : undefined;
  }
  const text = value.toString('latin1');
  const at = text.lastIndexOf('@');
  const host = kind === 'mail' ? text.slice(at + 1) : kind === 'uri' ? hostOf(text) : text;
  if (host === undefined || labelsOf(host) === undefined || (kind === 'mail' && at < 1)) return undefined;
  return (constraint) => {
    const written = constraint.toString('latin1');
    if (kind !== 'mail' || !written.includes('@')) return isBelow(host, written);
    const [local, domain] = [
      written.slice(0, written.lastIndexOf('@')),
      written.slice(written.lastIndexOf('@') + 1),
    ];
    return local === text.slice(0, at) && domain.toLowerCase() === host.toLowerCase();
  };
}

function isInRange(address: Buffer, range: Buffer): boolean {
  if (range.length !== 2 * address.length) return false;
  return address.every((byte, at) => {
    const mask = range[address.length + at] ?? 0;
    return (byte & mask) === ((range[at] ?? 0) & mask);
  });
}

/** A host is below itself, unless the constraint begins with a point; nothing stands for everything. */
function isBelow(host: string, constraint: string): boolean {
  if (constraint === '') return true;
  const isStrict = constraint.startsWith('.');
  const above = labelsOf(isStrict ? constraint.slice(1) : constraint);
  const labels = labelsOf(host);
  if (above === undefined || labels === undefined) return false;
  if (labels.length < above.length + (isStrict ? 1 : 0)) return false;
  return labels.slice(labels.length - above.length).join('.') === above.join('.');
}

function labelsOf(host: string): readonly string[] | undefined {
  const labels = host.toLowerCase().split('.');
  return labels.every((label) => LABEL.test(label)) ? labels : undefined;
}

/** Undefined also for an address: constraints are about names. */
function hostOf(uri: string): string | undefined {
  const { hostname } = URL.canParse(uri) ? new URL(uri) : { hostname: '' };
  const isAddress = hostname.startsWith('[') || /^[\d.]+$/.test(hostname);
  return hostname === '' || isAddress ? undefined : hostname;
}
