/**
 * A port that plays a recorded exchange back: each write must be the recorded one, each read answers what was recorded. Reports
 * are `> hex` when written and `< hex` when read.
 */
import type { FeaturePort } from '../../src/token/yubikey-otp/feature-port.js';

export class ReplayPort implements FeaturePort {
  readonly #reports: readonly string[];
  #at = 0;

  constructor(reports: readonly string[]) {
    this.#reports = reports;
  }

  /** Reports that nobody asked for. */
  get left(): number {
    return this.#reports.length - this.#at;
  }

  read(): Promise<Buffer> {
    const report = this.#next();
    if (report.startsWith('< ')) return Promise.resolve(Buffer.from(report.slice(2), 'hex'));
    return Promise.reject(new Error(`report ${this.#at}: a read instead of: ${report}`));
  }

  write(report: Uint8Array): Promise<void> {
    const written = `> ${Buffer.from(report).toString('hex')}`;
    const recorded = this.#next();
    if (written === recorded) return Promise.resolve();
    return Promise.reject(new Error(`report ${this.#at}: ${written} instead of: ${recorded}`));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #next(): string {
    const report = this.#reports[this.#at];
    this.#at += 1;
    return report ?? 'the end';
  }
}
