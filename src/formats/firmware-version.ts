/** Versions of a token's firmware, such as 5.4.3. */

/** Whether a version is older than another; each of its parts is a number below 1000. */
export function isFirmwareBefore(version: string, other: string): boolean {
  return numberOf(version) < numberOf(other);
}

function numberOf(version: string): number {
  return version.split('.').reduce((sum, part) => sum * 1000 + Number(part), 0);
}
