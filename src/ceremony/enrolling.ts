/** Enrolling a holder: a key on their token, the proof that they have it, and what the token's maker says about it. */
import type { AgentClient } from '../client/client.js';
import { listKeys } from '../client/key-list.js';
import { signStatements } from '../client/signer.js';
import { sealPin, unlockToken, type ReadPin } from '../client/unlock.js';
import { rawFromSpki } from '../crypto/public-key.js';
import { AgentError } from '../errors/agent-error.js';
import type { KeyAlgorithm } from '../crypto/algorithms.js';
import { canonicalKeyId, notaryKeyFromSpki } from '../formats/notary1/key.js';
import { TBS_KIND } from '../formats/x509-tbs.js';
import type { KeyInfo, TokenStatusInfo } from '../protocol/methods.js';
import { AgentSigner } from '../trust/agent-signer.js';
import { RootCertificates } from '../trust/root-certificate-order.js';
import { enrolmentFile } from './file-names.js';
import { POSSESSION_TYPE, possessionMessage, readEnrolment, type Enrolment } from './enrolment.js';
import { adoptHeldKey, nextName } from './holder.js';
import { writeForm, type Loaded } from './one-form.js';
import { PinEntry } from './pin-entry.js';
import { readTokenEvidence, saysOf, type TokenEvidence } from './token-evidence.js';
import { isSignedBy, RSA_SCHEME, signatureHex } from './signing-key.js';

const LEASE_SECONDS = 300;
const MAKE_MS = 150_000;
const SIGN_MS = 60_000;
const POSSESSION_KIND = `dsse:${POSSESSION_TYPE}`;

export interface EnrolmentOrder {
  readonly ceremony: string;
  readonly holder: string;
  /** Name in touchstone.toml. */
  readonly token: string;
  /** Under which the agent keeps the key. */
  readonly repository: string;
  readonly algorithm: KeyAlgorithm;
  /**
   * A key that is on the token already, DER SubjectPublicKeyInfo in base64. Left out, a new one is made; on a card, where keys are
   * made by other programs, the one in its slot for roots is taken.
   */
  readonly publicKey?: string | undefined;
  /** Serial number that a person typed, because the token holds a root key already. */
  readonly confirmedSerial?: string | undefined;
  /** Repositories of a notary-server that the key gets a certificate for. */
  readonly notaryRepositories: readonly string[];
  readonly certificateDays: number;
  readonly bag: string;
}

export interface EnrolmentParts {
  readonly client: AgentClient;
  readonly readPin: ReadPin;
  readonly useLastTry?: string | undefined;
  /** Absolute path; certificates of root keys are kept there. */
  readonly trustDir: string;
}

/**
 * Has a key made, or takes the one that is there, and has it sign for this ceremony and this person. The token is locked afterwards.
 * @throws AgentError `token.…`, `ceremony.token`, `key.usage` for the derivation key
 */
export async function enrol(parts: EnrolmentParts, order: EnrolmentOrder): Promise<Loaded<Enrolment>> {
  using entry = new PinEntry(parts.readPin);
  const once = { ...parts, readPin: entry.read };
  const { client } = parts;
  const status = await requireToken(client, order.token);
  const { keys } = await listKeys((page) => client.call('keys.list', page), { all: true });
  const evidence = await readTokenEvidence(client, order.token);
  const publicKey = order.publicKey ?? evidence?.publicKey;
  const key =
    publicKey === undefined
      ? await make(once, order, { status, keys })
      : await take(client, { ...order, publicKey });
  const signed = await prove(once, order, key);
  // The key was made meanwhile, and with it perhaps the token.
  const {
    serial = '',
    manufacturer = '',
    model = '',
    label = '',
    firmware,
  } = await requireToken(client, order.token);
  const enrolment: Enrolment = {
    format: 'touchstone-ceremony-enrolment',
    version: 1,
    ceremony: order.ceremony,
    holder: order.holder,
    ...signed,
    token: {
      serial,
      manufacturer: manufacturer.trim(),
      model: model.trim(),
      label,
      firmware: /^\d{1,3}\.\d{1,3}\.\d{1,3}$/.exec(firmware ?? '')?.[0] ?? null,
      slot: key.homes[0]?.id ?? '',
    },
    ...saysOf(evidence, { serial, publicKey: signed.publicKey }),
    derivationKeys: derivationKeys(keys, evidence),
    bag: order.bag,
    time: new Date().toISOString().replace(/\.\d{3}Z$/, 'Z'),
  };
  return readEnrolment(writeForm(enrolment), enrolmentFile(order.holder));
}

/** @throws AgentError `token.unknown`, `token.absent` */
async function requireToken(client: AgentClient, name: string): Promise<TokenStatusInfo> {
  const { tokens } = await client.call('tokens.list', {});
  const status = tokens.find((token) => token.name === name);
  if (status === undefined)
    throw new AgentError('token.unknown', { message: `no token "${name}" is configured` });
  if (status.state !== 'absent' && status.serial !== undefined) return status;
  throw new AgentError('token.absent', { message: `token "${name}" is not connected` });
}

/** Of the agent's own keyring, and of the token. */
function derivationKeys(keys: readonly KeyInfo[], evidence: TokenEvidence | undefined): readonly string[] {
  const own = keys.flatMap(({ usage, keyId }) => (usage === 'derive' ? (keyId ?? []) : []));
  return [...new Set([...own, ...(evidence?.derivationKeys ?? [])])];
}

async function make(
  { client, readPin, useLastTry }: EnrolmentParts,
  order: EnrolmentOrder,
  { status, keys }: { readonly status: TokenStatusInfo; readonly keys: readonly KeyInfo[] },
): Promise<KeyInfo> {
  const { repository, token, algorithm } = order;
  requireFree(status, keys, order);
  const own = keys.filter(({ name }) => name.startsWith(`${repository}#root`));
  const name = nextName({ repository, role: 'root' }, algorithm, own);
  const { pin } = await sealPin(client, token, readPin);
  const lastTry = useLastTry === undefined ? {} : { useLastTry };
  const { key } = await client.call(
    'keys.create',
    { key: name, token, pin, ...lastTry },
    { timeoutMs: MAKE_MS },
  );
  return key;
}

async function take(
  client: AgentClient,
  { publicKey, token, repository }: EnrolmentOrder & { readonly publicKey: string },
): Promise<KeyInfo> {
  const name = await adoptHeldKey(client, { publicKey }, { token, repository, role: 'root' });
  return (await client.call('keys.show', { key: name })).key;
}

/** A second root key on one token is rarely meant: the serial number says that a person knows which token it is. */
function requireFree(status: TokenStatusInfo, keys: readonly KeyInfo[], order: EnrolmentOrder): void {
  const there = keys.find(
    ({ homes, kinds, state }) =>
      state === 'active' && kinds.includes('tuf.root') && homes.some(({ token }) => token === status.uri),
  );
  if (there === undefined || order.confirmedSerial === status.serial) return;
  throw new AgentError('token.object-exists', {
    message: `enrolling ${order.holder}: token "${status.name}" holds the root key ${there.name} already`,
    hint: `take that one with --public-key, or make another with --confirm ${status.serial ?? ''}`,
    details: { token: status.name, key: there.name },
  });
}

/** Signs for ceremony and person, and the certificates for repositories of a notary-server, under one lease that ends here. */
async function prove(
  parts: EnrolmentParts,
  order: EnrolmentOrder,
  key: KeyInfo,
): Promise<Pick<Enrolment, 'publicKey' | 'keyId' | 'algorithm' | 'certificates' | 'proof'>> {
  const { client } = parts;
  const { keyId = '', publicKey = '' } = key;
  const { token } = order;
  const names = new Map<string, string>();
  for (const repository of order.notaryRepositories) {
    names.set(repository, await adoptHeldKey(client, { publicKey }, { token, repository, role: 'root' }));
  }
  await unlockToken(client, {
    token,
    readPin: parts.readPin,
    lease: {
      keys: [key.name, ...names.values()],
      kinds: [POSSESSION_KIND, ...(names.size > 0 ? [TBS_KIND] : [])],
      seconds: LEASE_SECONDS,
      ...(parts.useLastTry === undefined ? {} : { useLastTry: parts.useLastTry }),
    },
    timeoutMs: MAKE_MS,
  });
  try {
    const proof = await signPossession(client, order, key);
    const certificates = await certificatesFor(parts, order, { publicKey, names });
    return {
      publicKey,
      keyId,
      algorithm: rawFromSpki(Buffer.from(publicKey, 'base64')).algorithm,
      certificates,
      proof,
    };
  } finally {
    await client.call('lock', { token });
  }
}

async function signPossession(
  client: AgentClient,
  { ceremony, holder }: EnrolmentOrder,
  { name, keyId = '', publicKey = '' }: KeyInfo,
): Promise<string> {
  const { algorithm } = rawFromSpki(Buffer.from(publicKey, 'base64'));
  const payload = possessionMessage({ ceremony, holder, keyId });
  const scheme = algorithm === 'rsa-3072' ? RSA_SCHEME : undefined;
  const [signed] = await signStatements(
    client,
    [{ key: name, kind: POSSESSION_KIND, payload, scheme }],
    SIGN_MS,
  );
  const proof = signatureHex(algorithm, signed?.signature ?? Buffer.alloc(0));
  if (isSignedBy({ publicKey, algorithm }, payload, proof)) return proof;
  throw new AgentError('token.bad-signature', { message: 'the proof of possession does not verify' });
}

async function certificatesFor(
  { client, trustDir }: EnrolmentParts,
  { certificateDays }: EnrolmentOrder,
  { publicKey, names }: { readonly publicKey: string; readonly names: ReadonlyMap<string, string> },
): Promise<Enrolment['certificates']> {
  const orders = new RootCertificates(trustDir, new AgentSigner(client, SIGN_MS));
  const key = notaryKeyFromSpki(Buffer.from(publicKey, 'base64'));
  const made: { repository: string; pem: string }[] = [];
  for (const [repository, name] of names) {
    const role = { name, role: 'root', key, canonicalId: canonicalKeyId(key) };
    const certified = await orders.certified(repository, role, certificateDays);
    made.push({ repository, pem: Buffer.from(certified.public, 'base64').toString('utf8') });
  }
  return made;
}
