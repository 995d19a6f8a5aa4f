/**
 * RSA keys of a generator that was not random enough (CVE-2017-15361, "ROCA"; of YubiKeys: YSA-2017-01). Their primes are powers of 65537
 * modulo all small primes, and with them their modulus is: that tells them from others, of which one in a hundred million looks alike.
 */
const GENERATOR = 65_537n;
/** The product of the primes up to here divides the step of the generator, for keys of every size. */
const LARGEST_PRIME = 167n;

const POWERS: ReadonlyMap<bigint, ReadonlySet<bigint>> = new Map(
  primesUpTo(LARGEST_PRIME).map((prime) => [prime, powersModulo(prime)]),
);

/** Whether a modulus can be factored by anybody with some computers. */
export function isWeakModulus(modulus: bigint): boolean {
  return [...POWERS].every(([prime, powers]) => powers.has(modulus % prime));
}

function powersModulo(prime: bigint): ReadonlySet<bigint> {
  const powers = new Set<bigint>();
  for (let power = 1n; !powers.has(power); power = (power * GENERATOR) % prime) powers.add(power);
  return powers;
}

function primesUpTo(largest: bigint): readonly bigint[] {
  const primes: bigint[] = [];
  for (let number = 2n; number <= largest; number += 1n) {
    if (primes.every((prime) => number % prime !== 0n)) primes.push(number);
  }
  return primes;
}
