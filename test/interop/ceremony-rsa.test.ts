/** Holders of RSA keys: PSS where TUF reads it, PKCS#1 v1.5 where certificates of keys are read. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { closeCeremony } from '../../src/ceremony/closing.js';
import { publicKeyPem } from '../../src/crypto/public-key.js';
import { pae } from '../../src/encoding/dsse-pae.js';
import { decodeEnvelope } from '../../src/formats/dsse.js';
import { certificateRoots, verifyKeyCertificate } from '../../src/formats/key-certificate/verify.js';
import { readTufRoot } from '../../src/formats/tuf/reader.js';
import { walkRoots } from '../../src/formats/tuf/root-chain.js';
import { CREATED, EXPIRES } from '../support/ceremony-dates.js';
import { CeremonyRoom } from '../support/ceremony-room.js';
import { afterwards, openedSession, prepared, waive } from '../support/paper-ceremony.js';
import { onlineKey, SoftwareHolder, TEST_POLICY } from '../support/software-holder.js';
import { SoftHsmStore } from '../support/softhsm-store.js';
import { TempFolder } from '../support/temp-folder.js';

const HOLDERS = ['alice', 'bob'] as const;
const stores = new Map<string, SoftHsmStore>(HOLDERS.map((name) => [name, new SoftHsmStore(name)]));
let temp: TempFolder;
let room: CeremonyRoom;

beforeAll(async () => {
  temp = new TempFolder();
  room = await CeremonyRoom.open(stores);
});
afterAll(async () => {
  await room[Symbol.asyncDispose]();
  for (const store of stores.values()) store[Symbol.dispose]();
  temp[Symbol.dispose]();
});

it('sign a root that TUF reads, and certify a key for who checks with PKCS#1 v1.5', async () => {
  const both = await Promise.all([
    room.enrol('alice', 'acme-rsa-1', { algorithm: 'rsa-3072' }),
    room.enrol('bob', 'acme-rsa-1'),
  ]);
  const first = prepared(temp.join('first'), {
    id: 'acme-rsa-1',
    action: {
      type: 'init',
      enters: both.map(({ keyId }) => keyId),
      threshold: 2,
      online: (['targets', 'snapshot', 'timestamp'] as const).map((role) => ({
        document: null,
        role,
        publicKeys: [onlineKey()],
        threshold: 1,
      })),
    },
    policy: { ...TEST_POLICY, schemes: [...TEST_POLICY.schemes, 'rsassa-pss-sha256'] },
    enrolments: both,
    signers: HOLDERS,
  });
  {
    using session = openedSession(first.path);
    waive(session, 'THRESHOLD-SANE', 'alice');
    await room.sign(session, ...HOLDERS);
    closeCeremony(session, false);
  }
  const { root, policy, previous } = afterwards(first, 1);
  expect(walkRoots(readTufRoot(root), []).signed.version).toBe(1);

  const leaf = new SoftwareHolder('leaf');
  const second = prepared(temp.join('second'), {
    id: 'acme-rsa-2',
    action: {
      type: 'certify',
      delegations: [],
      certificates: [
        {
          repository: 'registry.example/acme/app',
          role: 'cosign',
          publicKey: leaf.publicKey,
          keyId: leaf.keyId,
          algorithm: 'ecdsa-p256',
          epoch: 1,
          kinds: ['dsse:*'],
          notBefore: CREATED,
          notAfter: EXPIRES,
          previous: null,
        },
      ],
    },
    policy,
    previous,
    signers: HOLDERS,
    documents: [
      {
        id: 'registry.example/acme/app#cosign@1',
        format: 'certificate',
        role: 'root',
        base: [],
        authority: root,
      },
    ],
  });
  using session = openedSession(second.path);
  for (const check of ['PREVIOUS-SEALED', 'THRESHOLD-SANE']) waive(session, check, 'alice');
  await room.sign(session, ...HOLDERS);
  const bytes = closeCeremony(session, false).outputs[0]?.bytes ?? Buffer.alloc(0);
  const keys = both.map(({ publicKey }) => Buffer.from(publicKey, 'base64'));
  expect(verifyKeyCertificate(bytes, certificateRoots(keys, 2)).signers).toHaveLength(2);

  // OpenSSL, with its own default for RSA, says the same.
  const { payloadType, payload, signatures } = decodeEnvelope(bytes);
  const { sig } = signatures.find(({ keyid }) => keyid === both[0].keyId) ?? {};
  writeFileSync(temp.join('key.pem'), publicKeyPem(keys[0] ?? Buffer.alloc(0)));
  writeFileSync(temp.join('sig'), sig ?? Buffer.alloc(0));
  writeFileSync(temp.join('message'), pae(payloadType, payload));
  const argv = ['dgst', '-sha256', '-verify', temp.join('key.pem'), '-signature', temp.join('sig')];
  expect(execFileSync('openssl', [...argv, temp.join('message')], { encoding: 'utf8' })).toBe(
    'Verified OK\n',
  );
});
