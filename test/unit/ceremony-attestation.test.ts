/** Whether the maker of a token vouches for a key, with certificates that OpenSSL made. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { judgeAttestation } from '../../src/ceremony/attestation.js';
import { keyIdOfSpki } from '../../src/ceremony/enrolment.js';
import { TempFolder } from '../support/temp-folder.js';

const VENDOR = '1.3.6.1.4.1.41482.3';
const UNKNOWN = { pinPolicy: 'unknown', touchPolicy: 'unknown' } as const;
let temp: TempFolder;

beforeEach(() => {
  temp = new TempFolder();
});
afterEach(() => {
  temp[Symbol.dispose]();
});

function openssl(...args: readonly string[]): Buffer {
  return execFileSync('openssl', args, { cwd: temp.path, stdio: ['ignore', 'pipe', 'ignore'] });
}

/** A certificate of a name, signed by another one or by itself. */
function certificate(name: string, issuer: string, isAuthority: boolean, more = '', subject = name): string {
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
  openssl('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${subject}`, '-out', `${name}.csr`);
  writeFileSync(
    temp.join('extensions'),
    `basicConstraints=critical,CA:${isAuthority ? 'TRUE' : 'FALSE'}\n${more}`,
  );
  const by =
    issuer === name
      ? ['-signkey', `${name}.key`]
      : ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-CAcreateserial'];
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    ...by,
    '-days',
    '10',
    '-extfile',
    'extensions',
    '-out',
    `${name}.pem`,
  );
  return readFileSync(temp.join(`${name}.pem`), 'utf8');
}

function keyIdOf(name: string): string {
  return keyIdOfSpki(openssl('ec', '-in', `${name}.key`, '-pubout', '-outform', 'DER').toString('base64'));
}

it('is judged by the chain from the key to a maker that the policy names', () => {
  const maker = certificate('maker', 'maker', true);
  const stranger = certificate('stranger', 'stranger', true);
  const device = certificate('device', 'maker', true);
  const named = `${VENDOR}.7=ASN1:INTEGER:1\n`;
  const key = certificate('key', 'device', false, named, 'key 9c');
  const other = certificate('other', 'key', false, named, 'other 9c');
  const token = { serial: '1', manufacturer: 'm', model: 'YubiKey', label: '', firmware: null, slot: '9c' };
  const judge = (attestation: readonly string[], anchors: readonly string[], name = 'key'): string =>
    judgeAttestation({ ...UNKNOWN, attestation, keyId: keyIdOf(name), token }, anchors).state;
  expect(judge([key, device], [stranger, maker])).toBe('attested');
  expect(judge([key, device, maker], [maker])).toBe('attested');
  expect(judge([], [maker])).toBe('none');
  expect(judge([key, device], [stranger])).toBe('wrong');
  expect(judge([key, device], [])).toBe('none');
  expect(judge([key, stranger], [])).toBe('wrong');
  expect(judge([key], [maker])).toBe('wrong');
  expect(judge([device], [maker])).toBe('wrong');
  expect(judge([key, stranger], [stranger])).toBe('wrong');
  // A key that was attested vouches for nothing itself.
  expect(judge([other, key, device], [maker], 'other')).toBe('wrong');
});

it('counts for the token and the policies that it names, and for no others', () => {
  const maker = certificate('maker', 'maker', true);
  const said = [`${VENDOR}.3=DER:050701`, `${VENDOR}.7=ASN1:INTEGER:16909060`, `${VENDOR}.8=DER:0202`];
  const attestation = [certificate('key', 'maker', false, `${said.join('\n')}\n`, 'key 9c')];
  const nameless = [certificate('nameless', 'maker', false, '', 'nameless 9c')];
  const token = { serial: '16909060', manufacturer: 'm', model: 'YubiKey', label: '', slot: '9c' };
  const good = { attestation, keyId: keyIdOf('key'), token: { ...token, firmware: '5.7.1' } };
  const judge = (change: Partial<Parameters<typeof judgeAttestation>[0]>): string =>
    judgeAttestation({ ...UNKNOWN, ...good, ...change }, [maker]).state;
  expect(judge({})).toBe('attested');
  expect(judge({ pinPolicy: 'once', touchPolicy: 'always' })).toBe('attested');
  expect(judge({ token: { ...good.token, serial: '7' } })).toBe('wrong');
  expect(judge({ token: { ...good.token, slot: '82' } })).toBe('wrong');
  expect(judge({ attestation: nameless, keyId: keyIdOf('nameless') })).toBe('wrong');
  expect(judge({ token: { ...good.token, firmware: '5.7.4' } })).toBe('wrong');
  expect(judge({ pinPolicy: 'always' })).toBe('wrong');
  expect(judge({ touchPolicy: 'cached' })).toBe('wrong');
});
