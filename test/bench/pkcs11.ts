/**
 * The PKCS#11 door against "p11-kit server" over SoftHSM: the same small client asks both, one or eight connections at once, each with
 * one SignInit and Sign after the other, as p11-kit's client module does it.
 */
import { randomBytes } from 'node:crypto';
import { P11KitServer } from '../support/p11-kit-server.js';
import { Pkcs11RpcClient } from '../support/pkcs11-rpc-client.js';
import { startPkcs11Agent } from '../support/pkcs11-agent.js';
import { median, type Bench, type Measurement, type Row } from './measurement.js';
import { withDurability } from './our-agent.js';

const CLIENTS = [1, 8] as const;
/** Before anything is measured, on both sides: compilers need some ten thousand signatures. */
const WARM_UP_SECONDS = 3;
const CKM_ECDSA = 0x1041;
const CKO_PRIVATE_KEY = 3;

interface Signer {
  readonly client: Pkcs11RpcClient;
  readonly sign: () => Promise<unknown>;
}

async function openSigner(socket: string, pin: string): Promise<Signer> {
  const client = await Pkcs11RpcClient.open(socket);
  const [slot = 0] = await client.slots();
  const session = await client.openSession(slot);
  await client.login(session, pin);
  const [key = 0] = await client.find(session, CKO_PRIVATE_KEY);
  const digest = randomBytes(32);
  return { client, sign: () => client.sign(session, CKM_ECDSA, key, digest) };
}

/** Signatures per second of all connections together. */
async function measureSigners(signers: readonly Signer[], seconds: number): Promise<Measurement> {
  const times: number[] = [];
  const begin = performance.now();
  const end = begin + seconds * 1000;
  await Promise.all(
    signers.map(async ({ sign }) => {
      for (let now = performance.now(); now < end;) {
        await sign();
        const after = performance.now();
        times.push(after - now);
        now = after;
      }
    }),
  );
  const value = (times.length * 1000) / (performance.now() - begin);
  return { value, medianMicros: signers.length === 1 ? median(times) * 1000 : undefined };
}

function rowsOf(id: string, label: string, signers: readonly Signer[]): readonly Row[] {
  return CLIENTS.map((clients) => ({
    id: `${id}-${clients}`,
    label: `${label}, P-256, ${clients === 1 ? 'one client' : `${clients} clients`}`,
    unit: 'sign/s',
    measure: (seconds) => measureSigners(signers.slice(0, clients), seconds),
  }));
}

export async function pkcs11(): Promise<Bench> {
  const opened: AsyncDisposable[] = [];
  const signers: Signer[] = [];
  const close = async (): Promise<void> => {
    for (const { client } of signers) client.close();
    for (const each of opened) await each[Symbol.asyncDispose]();
  };
  const openSigners = async (socket: string, pin: string): Promise<readonly Signer[]> => {
    const most = Math.max(...CLIENTS);
    for (let i = 0; i < most; i += 1) signers.push(await openSigner(socket, pin));
    const ready = signers.slice(-most);
    await measureSigners(ready, WARM_UP_SECONDS);
    return ready;
  };
  try {
    const oracle = await P11KitServer.start();
    opened.push(oracle);
    const { agent, socket } = await startPkcs11Agent((toml) => withDurability(toml, 'os'));
    opened.push(agent);
    const rows = [
      ...rowsOf(
        'pkcs11-p11-kit',
        'p11-kit server over SoftHSM',
        await openSigners(oracle.socket, oracle.pin),
      ),
      ...rowsOf('us-pkcs11', 'us over PKCS#11', await openSigners(socket, '')),
    ];
    return { rows, [Symbol.asyncDispose]: close };
  } catch (failure) {
    await close();
    throw failure;
  }
}
