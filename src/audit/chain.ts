/**
 * How lines of the audit log are written and linked. A line is JSON with its keys in one fixed order, and carries the
 * SHA-256 of the line before it (bytes without the line feed).
 */
import { hash } from 'node:crypto';
import type {
  ActLine,
  AuditDocument,
  AuditLine,
  AuditPeer,
  CheckpointLine,
  RefuseLine,
  SignLine,
  StartLine,
  UnreleasedLine,
} from './record.js';

/** Where a chain stands: sequence and hex SHA-256 of its last line. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

/** Before the first line: sequence 0, 64 zeros. */
export const EMPTY_HEAD: ChainHead = { seq: 0, hash: '0'.repeat(64) };

type Linked = 'seq' | 'time' | 'prev';
type Unlinked<L> = L extends AuditLine ? Omit<L, Linked> : never;

/** What happened, before the chain gives it a sequence, a time and a link. */
export type AuditEntry = Unlinked<AuditLine>;

export interface LinkedLine {
  /** Without the line feed. */
  readonly text: string;
  readonly head: ChainHead;
}

/** Links `entry` after `head`. @param time RFC 3339, whole seconds, Z */
export function linkEntry(head: ChainHead, time: string, entry: AuditEntry): LinkedLine {
  const seq = head.seq + 1;
  const text = `{"seq":${seq},"time":"${time}","prev":"${head.hash}",${entryText(entry)}`;
  return { text, head: { seq, hash: hashLine(text) } };
}

/** Text of a whole line; equal to the line as read exactly when nothing stands in another form or order. */
export function lineText(line: AuditLine): string {
  return `{"seq":${line.seq},"time":${JSON.stringify(line.time)},"prev":"${line.prev}",${entryText(line)}`;
}

/** Hex SHA-256 of a line without its line feed. */
export function hashLine(line: string | Uint8Array): string {
  return hash('sha256', line, 'hex');
}

/** Everything after the link, closing brace included. Sign lines are built by hand: 60,000 a second pass here. */
function entryText(entry: AuditEntry): string {
  switch (entry.type) {
    case 'sign':
      return signText(entry);
    case 'refuse':
      return refuseText(entry);
    case 'start':
      return startText(entry);
    case 'unreleased':
      return unreleasedText(entry);
    case 'act':
      return actText(entry);
    case 'checkpoint':
      return checkpointText(entry);
    case 'continue':
      return `"type":"continue","file":${quote(entry.file)}}`;
  }
}

function signText(entry: Omit<SignLine, Linked>): string {
  const group = entry.group === undefined ? '' : `"group":${entry.group},`;
  const blind = entry.blind === undefined ? '' : '"blind":true,';
  const document = entry.document === undefined ? '' : `"document":${documentText(entry.document)},`;
  const certificate = entry.certificate === undefined ? '' : `"certificate":"${entry.certificate}",`;
  return (
    `"type":"sign",${group}"peer":${peerText(entry.peer)},"key":${quote(entry.key)},"keyId":"${entry.keyId}",` +
    `"kind":${quote(entry.kind)},"rule":${quote(entry.rule)},${blind}"summary":${listText(entry.summary)},` +
    `${document}${certificate}"hash":"${entry.hash}","order":${entry.order}}`
  );
}

function documentText(entry: AuditDocument): string {
  const notStored = entry.notStored === undefined ? '' : `,"notStored":${quote(entry.notStored)}`;
  const changed = entry.changed === undefined ? '' : `,"changed":${entry.changed}`;
  const changes = entry.changes === undefined ? '' : `,"changes":${listText(entry.changes)}`;
  return (
    `{"version":${entry.version},"expires":${quote(entry.expires)},"sha256":${quote(entry.sha256)}` +
    `${notStored}${changed}${changes}}`
  );
}

function refuseText(entry: Omit<RefuseLine, Linked>): string {
  const rule = entry.rule === undefined ? '' : `"rule":${quote(entry.rule)},`;
  return (
    `"type":"refuse","peer":${peerText(entry.peer)},"key":${quote(entry.key)},"kind":${quote(entry.kind)},` +
    `"code":${quote(entry.code)},${rule}"message":${quote(entry.message)}}`
  );
}

function startText(entry: Omit<StartLine, Linked>): string {
  return (
    `"type":"start","instance":"${entry.instance}","orders":${entry.orders},` +
    `"ordersHash":"${entry.ordersHash}","agent":${quote(entry.agent)}}`
  );
}

function unreleasedText(entry: Omit<UnreleasedLine, Linked>): string {
  return `"type":"unreleased","keyId":"${entry.keyId}","hash":"${entry.hash}","order":${entry.order}}`;
}

function actText(entry: Omit<ActLine, Linked>): string {
  const peer = entry.peer === undefined ? '' : `"peer":${peerText(entry.peer)},`;
  return `"type":"act","act":${quote(entry.act)},${peer}"facts":${JSON.stringify(entry.facts)}}`;
}

function checkpointText(entry: Omit<CheckpointLine, Linked>): string {
  const { payloadType, payload, signatures } = entry.dsse;
  const signed = signatures.map(({ keyid, sig }) => `{"keyid":${quote(keyid)},"sig":${quote(sig)}}`);
  return (
    `"type":"checkpoint","order":${entry.order},"dsse":{"payloadType":${quote(payloadType)},` +
    `"payload":${quote(payload)},"signatures":[${signed.join(',')}]}}`
  );
}

/** One connection asks many times with one peer object. */
const peerTexts = new WeakMap<AuditPeer, string>();

function peerText(peer: AuditPeer): string {
  const known = peerTexts.get(peer);
  if (known !== undefined) return known;
  const exe = peer.exe === undefined ? '' : `,"exe":${quote(peer.exe)}`;
  const text = `{"uid":${peer.uid},"gid":${peer.gid},"pid":${peer.pid}${exe}}`;
  peerTexts.set(peer, text);
  return text;
}

function listText(items: readonly string[]): string {
  return `[${items.map(quote).join(',')}]`;
}

/** What JSON writes as it is, between two quotation marks. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** As JSON.stringify, which costs more than all the rest of a line where nothing has to be escaped. */
function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}
