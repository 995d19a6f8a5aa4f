/** PINs, scalars and PRF values are gone from the memory of the token host once a call was answered. */
import { createECDH, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countInMemory } from '../support/process-memory.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { SO_PIN, SOFTHSM_MODULE, SoftHsmStore } from '../support/softhsm-store.js';
import { TokenHostClient } from '../support/token-host-client.js';

/** Long enough not to stand in a process by chance. */
const PIN = randomBytes(16).toString('hex');
const KEY = { id: '02', label: 'derivation' };

describe('memory of the token host', () => {
  let store: SoftHsmStore;
  let host: TokenHostClient;
  let pid: number;

  beforeAll(async () => {
    store = new SoftHsmStore();
    // The product's entry makes itself unreadable first; this one does not, so that there is something to read.
    const entry = join(store.folder, 'readable-host.mjs');
    const product = pathToFileURL(join(PROJECT_ROOT, 'dist/tokenhost/host.js')).href;
    writeFileSync(
      entry,
      `import { runTokenHost } from '${product}';\nrunTokenHost(3, () => process.exit(0));\n`,
    );
    host = new TokenHostClient(store.environment, entry);
    pid = host.child.pid ?? 0;
    await host.call('open', { module: SOFTHSM_MODULE, uri: 'pkcs11:token=memory-control-label' });
    const pins = Buffer.concat([Buffer.from([0, SO_PIN.length]), Buffer.from(SO_PIN + PIN)]);
    await host.call('initialise', { label: 'memory-control-label' }, pins);
  });
  afterAll(async () => {
    await host[Symbol.asyncDispose]();
    store[Symbol.dispose]();
  });

  async function occurrences(...needles: readonly Buffer[]): Promise<readonly number[]> {
    // An answer can arrive before the host's own write callback has overwritten the frame; one more call is behind it.
    await host.call('probe', {});
    return countInMemory(pid, needles);
  }

  it('is readable by this test: a label that is no secret stands there', async () => {
    expect((await occurrences(Buffer.from('memory-control-label')))[0]).toBeGreaterThan(0);
  });

  it('holds no PIN after it was set, refused or accepted', async () => {
    const wrong = Buffer.from(randomBytes(16).toString('hex'));
    await expect(host.call('login', {}, wrong)).rejects.toMatchObject({ code: 'token.pin-incorrect' });
    await host.call('login', {}, Buffer.from(PIN));
    expect(await occurrences(Buffer.from(PIN), wrong)).toEqual([0, 0]);
  });

  it('holds no imported scalar', async () => {
    await host.call('login', {}, Buffer.from(PIN));
    const pair = createECDH('prime256v1');
    const publicPoint = pair.generateKeys('base64');
    const scalar = Buffer.concat([Buffer.alloc(32), pair.getPrivateKey()]).subarray(-32);
    await host.call('importSigningKey', { id: '01', label: 'leaf', publicPoint }, scalar);
    expect(await occurrences(scalar, Buffer.from(scalar).reverse())).toEqual([0, 0]);
  });

  it.each(['ec', 'hmac'] as const)('holds no PRF value (%s)', async (backend) => {
    await host.call('login', {}, Buffer.from(PIN));
    const key = { ...KEY, id: backend === 'ec' ? '02' : '03', label: `derivation ${backend}`, backend };
    await host.call('generateDerivationKey', key);
    const values: Buffer[] = [];
    for (let n = 0; n < 5; n += 1) {
      const input = backend === 'ec' ? createECDH('prime256v1').generateKeys() : randomBytes(60);
      values.push((await host.call('evaluatePrf', key, input)).raw);
    }
    expect(await occurrences(...values)).toEqual([0, 0, 0, 0, 0]);
  });
});
