/** The body of an upload: `multipart/form-data` with one part per role; the server knows a part by its file name alone. */
import { randomBytes } from 'node:crypto';

export interface MultipartBody {
  readonly contentType: string;
  readonly body: Buffer;
}

/** Parts in the order of the map; the boundary is random. */
export function multipart(parts: ReadonlyMap<string, Buffer>): MultipartBody {
  const boundary = randomBytes(24).toString('hex');
  const chunks = [...parts].flatMap(([role, file]) => [
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="files"; filename="${role}"\r\n` +
        'content-type: application/octet-stream\r\n\r\n',
    ),
    file,
    Buffer.from('\r\n'),
  ]);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]),
  };
}
