/** The body of an upload: `multipart/form-data` with one part per role; the server knows a part by its file name alone. */
import { randomBytes } from 'node:crypto';
import { AgentError } from '../errors/agent-error.js';
import { isBaseRole, isDelegation } from '../formats/notary1/role-name.js';

export interface MultipartBody {
  readonly contentType: string;
  readonly body: Buffer;
}

/** Parts in the order of the map; the boundary is random. @throws AgentError `notary.document` for what is no name of a role */
export function multipart(parts: ReadonlyMap<string, Buffer>): MultipartBody {
  const boundary = randomBytes(24).toString('hex');
  const chunks = [...parts].flatMap(([role, file]) => [
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="files"; filename="${checkedRole(role)}"\r\n` +
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

/** Whoever wrote the journal of an interrupted publish could name a part as they like, and end its head. */
function checkedRole(role: string): string {
  if (isBaseRole(role) || isDelegation(role)) return role;
  throw new AgentError('notary.document', { message: 'uploading metadata: a part of it is of no role' });
}
