/** RSA keys of the generator of CVE-2017-15361, told from others by their modulus. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { isWeakModulus } from '../../src/crypto/weak-rsa.js';

function primorial(largest: bigint): bigint {
  let product = 1n;
  for (let number = 2n; number <= largest; number += 1n) {
    if (product % number !== 0n && isPrime(number)) product *= number;
  }
  return product;
}

function isPrime(number: bigint): boolean {
  for (let divisor = 2n; divisor * divisor <= number; divisor += 1n) {
    if (number % divisor === 0n) return false;
  }
  return true;
}

function powerModulo(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let [square, rest] = [base % modulus, exponent]; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

function random(bytes: number): bigint {
  return BigInt(`0x${randomBytes(bytes).toString('hex')}`);
}

it('finds numbers of its form, and no key that OpenSSL makes', () => {
  // Keys of 2048 bits: 126 primes, up to 701.
  const step = primorial(701n);
  const factor = (): bigint => random(7) * step + powerModulo(65_537n, random(32), step);
  for (let trial = 0; trial < 50; trial += 1) expect(isWeakModulus(factor() * factor())).toBe(true);
  for (let trial = 0; trial < 5; trial += 1) {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const { n = '' } = publicKey.export({ format: 'jwk' });
    expect(isWeakModulus(BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`))).toBe(false);
  }
});
