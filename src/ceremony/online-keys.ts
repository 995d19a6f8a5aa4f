/** `online-keys.json`: the keys that roots of repositories of a notary-server name beside their own, collected before a ceremony. */
import { z } from 'zod';
import { onlineRoles, type RoleKeyOrder } from './action.js';
import { readForm, writeForm } from './one-form.js';

const onlineKeysSchema = z
  .strictObject({
    format: z.literal('touchstone-ceremony-online-keys'),
    version: z.literal(1),
    online: onlineRoles,
  })
  .readonly();

/** Bytes of the file. */
export function writeOnlineKeys(online: readonly RoleKeyOrder[]): Buffer {
  return writeForm({ format: 'touchstone-ceremony-online-keys', version: 1, online });
}

/** @throws AgentError `ceremony.file` */
export function readOnlineKeys(bytes: Buffer, file: string): readonly RoleKeyOrder[] {
  return readForm(bytes, onlineKeysSchema, file).value.online;
}
