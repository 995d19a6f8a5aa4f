/** DSSE v1 pre-authentication encoding: the bytes that are signed for (payload type, body). */

/** `DSSEv1 SP LEN(type) SP type SP LEN(body) SP body`; lengths in bytes, decimal. */
export function pae(type: string, body: Uint8Array): Buffer {
  const head = Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${body.length} `, 'utf8');
  return Buffer.concat([head, body]);
}
