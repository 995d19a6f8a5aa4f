/** Writing in-toto Statements v1. What is written is read back once, so that nothing is signed that `in-toto.ts` would refuse. */
import { parseInToto } from './in-toto.js';

/** What cosign 3 states when it signs an image: the digest is all there is to say. */
export const COSIGN_SIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

export interface StatementFields {
  readonly name?: string | undefined;
  /** `sha256:HEX`. */
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly predicateType: string;
  readonly predicate: unknown;
}

/**
 * One Statement about one subject, JSON without spaces.
 * @throws AgentError `statement.unrecognised`
 */
export function buildInToto(fields: StatementFields): Buffer {
  const { name, digest, annotations, predicateType, predicate } = fields;
  const [algorithm = '', hex = ''] = digest.split(':');
  const subject = {
    ...(name === undefined ? {} : { name }),
    digest: { [algorithm]: hex },
    ...(annotations === undefined || Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [subject],
    predicateType,
    predicate,
  };
  const bytes = Buffer.from(JSON.stringify(statement));
  parseInToto(bytes);
  return bytes;
}
