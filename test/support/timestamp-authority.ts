/** A time stamp authority (RFC 3161) of the test's own, by OpenSSL: a root, a certificate for stamping, and stamps. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { TempFolder } from './temp-folder.js';

const CONFIGURATION = `
[req]
distinguished_name = name
prompt = no
[name]
O = Acme
CN = time
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[stamping]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = clock
[clock]
serial = serial
default_policy = 1.2.3.4
digests = sha256
signer_digest = sha256
`;
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const;

export class TimestampAuthority implements Disposable {
  readonly #folder = new TempFolder();

  constructor() {
    writeFileSync(this.#folder.join('conf'), CONFIGURATION);
    writeFileSync(this.#folder.join('serial'), '01\n');
    const days = ['-days', '30'];
    const named = ['-config', 'conf', '-subj'];
    const ca = ['req', '-x509', ...NEW_KEY, ...named, '/O=Acme/CN=root', '-extensions', 'ca', ...days];
    this.#openssl(...ca, '-keyout', 'ca.key', '-out', 'ca.pem');
    this.#openssl(
      'req',
      '-new',
      ...NEW_KEY,
      ...named,
      '/O=Acme/CN=time',
      '-keyout',
      'time.key',
      '-out',
      'csr',
    );
    const issue = ['x509', '-req', '-in', 'csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
    this.#openssl(...issue, '-extfile', 'conf', '-extensions', 'stamping', ...days, '-out', 'time.pem');
  }

  /** DER, the one that stamps first. */
  get chain(): readonly Buffer[] {
    return ['time.pem', 'ca.pem'].map(
      (name) => new X509Certificate(readFileSync(this.#folder.join(name))).raw,
    );
  }

  /** A response in DER about the SHA-256 of `bytes`. */
  stamp(bytes: Uint8Array): Buffer {
    writeFileSync(this.#folder.join('data'), bytes);
    this.#openssl('ts', '-query', '-data', 'data', '-sha256', '-cert', '-out', 'query');
    const signer = ['-signer', 'time.pem', '-inkey', 'time.key', '-config', 'conf'];
    this.#openssl('ts', '-reply', '-queryfile', 'query', ...signer, '-out', 'reply');
    return readFileSync(this.#folder.join('reply'));
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }

  #openssl(...argv: readonly string[]): void {
    execFileSync('openssl', argv, { cwd: this.#folder.path, stdio: 'pipe' });
  }
}
