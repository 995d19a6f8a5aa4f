/** Canonical bytes of TUF documents: what is signed and what is hashed, whatever the layout of a file. */
import { canonicalJson } from '../../encoding/canonical-json.js';

/**
 * OLPC canonical JSON, control characters raw.
 * @param what the document, named in the error
 * @throws AgentError `tuf.document` for fractions, integers beyond 2^53-1, lone surrogates, and keys with characters beyond U+FFFF
 */
export function tufCanonical(value: unknown, what: string): Buffer {
  return Buffer.from(canonicalJson(value, what, 'tuf.document', 'tuf'), 'utf8');
}
