/** A simple-signing statement of exactly the wanted size: the agent parses what it signs, so bytes must mean something. */

export const IMAGE_REPOSITORY = 'docker.io/library/hello';
export const IMAGE_KIND = 'oci.simple-signing';

export function simpleSigningPayload(bytes: number): Buffer {
  const build = (note: string): string =>
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': IMAGE_REPOSITORY },
        image: { 'docker-manifest-digest': `sha256:${'5'.repeat(64)}` },
        type: 'cosign container image signature',
      },
      optional: { note },
    });
  const missing = bytes - build('').length;
  if (missing < 0) throw new Error(`payload: ${bytes} bytes are too few`);
  return Buffer.from(build('x'.repeat(missing)));
}
