/** Raw OpenSSL on one core: the ceiling for everything else. */
import { runProgram } from '../support/demo-agent.js';
import { plainBench, type Bench, type Row } from './measurement.js';

const ALGORITHMS = [
  {
    id: 'openssl-p256',
    label: 'openssl speed, one core, P-256',
    name: 'ecdsap256',
    line: /\(nistp256\)\s+\S+s\s+\S+s\s+([\d.]+)/,
  },
  {
    id: 'openssl-ed25519',
    label: 'openssl speed, one core, Ed25519',
    name: 'ed25519',
    line: /Ed25519\)\s+\S+s\s+\S+s\s+([\d.]+)/,
  },
] as const;

export function openSslSpeed(): Bench {
  return plainBench(
    ALGORITHMS.map((algorithm): Row => ({
      id: algorithm.id,
      label: algorithm.label,
      unit: 'sign/s',
      async measure(seconds) {
        const whole = String(Math.max(1, Math.round(seconds)));
        const said = await runProgram('openssl', ['speed', '-seconds', whole, algorithm.name]);
        const rate = Number(algorithm.line.exec(said.stdout)?.[1]);
        if (!(rate > 0)) throw new Error(`openssl speed ${algorithm.name}: no figure in its output`);
        return { value: rate };
      },
    })),
  );
}
