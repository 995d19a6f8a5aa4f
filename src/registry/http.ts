/** One HTTP request to a registry or a server of its kind: with a deadline, a bound on what is read, and no redirect followed by itself. */
import { request as plainRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as tlsRequest, type RequestOptions } from 'node:https';
import { rootCertificates } from 'node:tls';
import { AgentError } from '../errors/agent-error.js';
import type { Service } from './service.js';

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

export interface HttpCall {
  readonly service: Service;
  readonly method: HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | undefined;
  /** Absolute time, milliseconds since the epoch. */
  readonly deadline: number;
  /** More is an error. Bytes. */
  readonly maxBytes: number;
  /** PEM; trusted beside the usual authorities. */
  readonly ca?: string | undefined;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** @throws AgentError `unreachable` and, when too much came, `reply` of the service; `limits.deadline` */
export function httpCall(call: HttpCall): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const options = requestOptions(call);
    const outgoing =
      call.url.protocol === 'https:' ? tlsRequest(call.url, options) : plainRequest(call.url, options);
    const timer = setTimeout(
      () => outgoing.destroy(deadlineError(call)),
      Math.max(1, call.deadline - Date.now()),
    );
    const finish = (end: () => void): void => {
      clearTimeout(timer);
      end();
    };
    outgoing.on('response', (reply) => {
      readReply(reply, call).then(
        (read) => {
          finish(() => {
            resolve(read);
          });
        },
        (cause: unknown) => {
          finish(() => {
            outgoing.destroy();
            reject(callError(call, cause));
          });
        },
      );
    });
    outgoing.on('error', (cause) => {
      finish(() => {
        reject(callError(call, cause));
      });
    });
    outgoing.end(call.body);
  });
}

function requestOptions(call: HttpCall): RequestOptions {
  const length = call.body === undefined ? {} : { 'content-length': String(call.body.length) };
  return {
    method: call.method,
    headers: { ...call.headers, ...length },
    ...(call.ca === undefined ? {} : { ca: [...rootCertificates, call.ca] }),
  };
}

async function readReply(reply: IncomingMessage, call: HttpCall): Promise<HttpReply> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > call.maxBytes) {
      throw new AgentError(call.service.reply, {
        message: `reading from ${call.url.host}: the reply is larger than ${call.maxBytes} bytes`,
      });
    }
    chunks.push(chunk);
  }
  return { status: reply.statusCode ?? 0, headers: reply.headers, body: Buffer.concat(chunks) };
}

function deadlineError({ service, url }: HttpCall): AgentError {
  return new AgentError('limits.deadline', {
    message: `the ${service.noun} ${url.host} did not answer in time`,
  });
}

/** What is wrong with a certificate, by the code of the TLS library. */
const CERTIFICATE_FAULTS: ReadonlyMap<string, string> = new Map([
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'its certificate is of no authority that is known here'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'its certificate is of no authority that is known here'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'its certificate is of no authority that is known here'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'its certificate is of no authority that is known here'],
  ['CERT_SIGNATURE_FAILURE', 'its certificate is not of the authority that it names'],
  ['CERT_HAS_EXPIRED', 'its certificate has expired'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another name'],
]);

function callError({ service, url }: HttpCall, cause: unknown): AgentError {
  if (cause instanceof AgentError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const fault = CERTIFICATE_FAULTS.get(code ?? '');
  const hint = `check that it is the right ${service.noun}; ${service.authorityOption} FILE adds its authority`;
  return new AgentError(service.unreachable, {
    message: `reaching the ${service.noun} ${url.host}: ${fault ?? code ?? message}`,
    ...(fault === undefined ? {} : { hint }),
    details: { host: url.host },
    cause,
  });
}
