/** `node:crypto` in this very process: what a program that holds the key itself could do. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { callRate, plainBench, type Bench } from './measurement.js';

export function nodeCrypto(messageBytes: number): Bench {
  const message = randomBytes(messageBytes);
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const ed25519 = generateKeyPairSync('ed25519').privateKey;
  return plainBench([
    {
      id: 'node-p256',
      label: 'node:crypto in process, P-256',
      unit: 'sign/s',
      measure: (seconds) =>
        Promise.resolve({ value: callRate(seconds, () => sign('sha256', message, p256)) }),
    },
    {
      id: 'node-ed25519',
      label: 'node:crypto in process, Ed25519',
      unit: 'sign/s',
      measure: (seconds) => Promise.resolve({ value: callRate(seconds, () => sign(null, message, ed25519)) }),
    },
  ]);
}
