/** Statements to sign: the agent parses what it signs, so bytes must mean something. */

export const IMAGE_REPOSITORY = 'docker.io/library/hello';
export const IMAGE_KIND = 'oci.simple-signing';

/** A simple-signing statement of exactly the wanted size. */
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

/** What notation has signed for an image: headers and payload of a JWS, as its signing input. */
export function notationPayload(): Buffer {
  const headers = {
    alg: 'ES256',
    crit: ['io.cncf.notary.signingScheme'],
    cty: 'application/vnd.cncf.notary.payload.v1+json',
    'io.cncf.notary.signingScheme': 'notary.x509',
    'io.cncf.notary.signingTime': '2026-01-02T03:04:05Z',
  };
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const targetArtifact = { mediaType, digest: `sha256:${'5'.repeat(64)}`, size: 7 };
  const parts = [headers, { targetArtifact }];
  return Buffer.from(parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.'));
}
