/** Data objects of the card (SP 800-73-4, GET DATA and PUT DATA). */
import { AgentError } from '../../errors/agent-error.js';
import { INS, SW_OK, transceive, type Exchange } from './apdu.js';
import { parseTlv, tlv } from './ber-tlv.js';

const OBJECT = 0x3fff;
const CONTENT = 0x53;
const CERTIFICATE = 0x70;
const CERTIFICATE_INFO = 0x71;
const ERROR_CODE = 0xfe;
const SW_NOT_FOUND = 0x6a82;

/** Certificate of the key that attests. */
export const DEVICE_CERTIFICATE = '5fff01';

/** Writes an object. @param id hex @throws AgentError `token.device` */
export function writeObject(exchange: Exchange, id: string, content: Uint8Array): void {
  putData(exchange, id, Buffer.concat([tlv(0x5c, Buffer.from(id, 'hex')), tlv(CONTENT, content)]));
}

/** @param data name and content of an object, as PUT DATA takes them @throws AgentError `token.device` */
export function putData(exchange: Exchange, id: string, data: Buffer): void {
  const { statusWord } = transceive(exchange, { ins: INS.putData, p1: OBJECT >> 8, p2: OBJECT & 0xff, data });
  if (statusWord === SW_OK) return;
  throw new AgentError('token.device', {
    message: `writing object ${id}: the card refused (${statusWord.toString(16)})`,
  });
}

/** Content of an object, undefined when there is none. @param id hex @throws AgentError `token.device` */
export function readObject(exchange: Exchange, id: string): Buffer | undefined {
  const data = tlv(0x5c, Buffer.from(id, 'hex'));
  const answer = transceive(exchange, { ins: INS.getData, p1: OBJECT >> 8, p2: OBJECT & 0xff, data });
  if (answer.statusWord === SW_NOT_FOUND) return undefined;
  if (answer.statusWord !== SW_OK) {
    throw new AgentError('token.device', {
      message: `reading object ${id}: the card refused (${answer.statusWord.toString(16)})`,
    });
  }
  const content = parseTlv(answer.data).get(CONTENT);
  return content === undefined || content.length === 0 ? undefined : content;
}

/** DER of the certificate in an object, undefined when there is none. @param id hex @throws AgentError `token.device` */
export function readCertificate(exchange: Exchange, id: string): Buffer | undefined {
  const object = readObject(exchange, id);
  return object === undefined ? undefined : parseTlv(object).get(CERTIFICATE);
}

/** Stores a certificate, not compressed. @param id hex @throws AgentError `token.device` */
export function writeCertificate(exchange: Exchange, id: string, certificate: Uint8Array): void {
  const elements = [tlv(CERTIFICATE, certificate), tlv(CERTIFICATE_INFO, Buffer.of(0)), tlv(ERROR_CODE)];
  writeObject(exchange, id, Buffer.concat(elements));
}
