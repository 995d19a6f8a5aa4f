/** A certificate authority of one test and the certificates of its programs, made by OpenSSL: P-256, SHA-256, valid for a month. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { TempFolder } from './temp-folder.js';

/** Files of a certificate and its key, PEM. */
export interface KeyPairFiles {
  readonly certificate: string;
  readonly key: string;
}

const LOOPBACK = 'subjectAltName=DNS:localhost,IP:127.0.0.1';

export class TestAuthority implements Disposable {
  readonly #folder = new TempFolder();
  readonly #files: KeyPairFiles;

  constructor(name = 'test authority') {
    // OpenSSL's own configuration would add extensions of its choice.
    writeFileSync(this.#folder.join('req.cnf'), '[req]\ndistinguished_name = dn\n[dn]\n');
    this.#files = this.#make(name, 'ca', [
      'basicConstraints=critical,CA:TRUE',
      'keyUsage=critical,keyCertSign,cRLSign',
    ]);
  }

  /** What others are given to trust. */
  get certificate(): string {
    return this.#files.certificate;
  }

  /** For a program that serves `localhost` and 127.0.0.1. @param name also of the files */
  server(name: string): KeyPairFiles {
    return this.#issue(name, ['extendedKeyUsage=serverAuth', LOOPBACK]);
  }

  client(name: string): KeyPairFiles {
    return this.#issue(name, ['extendedKeyUsage=clientAuth']);
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }

  #issue(name: string, extensions: readonly string[]): KeyPairFiles {
    const { certificate, key } = this.#files;
    return this.#make(
      name,
      name,
      ['basicConstraints=critical,CA:FALSE', ...extensions],
      [...['-CA', certificate, '-CAkey', key]],
    );
  }

  #make(
    name: string,
    file: string,
    extensions: readonly string[],
    issuer: readonly string[] = [],
  ): KeyPairFiles {
    const certificate = this.#folder.join(`${file}.crt`);
    const key = this.#folder.join(`${file}.key`);
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-config', this.#folder.join('req.cnf'), '-subj', `/CN=${name}`, '-days', '30'],
        ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-sha256'],
        ...['-keyout', key, '-out', certificate, ...issuer],
        ...extensions.flatMap((extension) => ['-addext', extension]),
      ],
      { stdio: 'pipe' },
    );
    return { certificate, key };
  }
}
