/** `touchstone attest`: an in-toto statement about an image in a registry, signed and stored beside it. */
import { pae } from '../../encoding/dsse-pae.js';
import { parseJsonStrict } from '../../encoding/json.js';
import { IN_TOTO_TYPE } from '../../formats/in-toto.js';
import { buildInToto } from '../../formats/in-toto-statement.js';
import { publishAttestation } from '../../images/image-signature.js';
import { repositoryName } from '../../registry/image-reference.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readInput } from '../input-file.js';
import { predicateTypeOf } from '../predicate-types.js';
import { openImage } from '../registry-options.js';
import { encodeSignature, requireCosignAlgorithm, signWithKey } from '../signing.js';

/** Attests one predicate about one image. */
export async function attest(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { args, options } = invocation;
  const predicateType = predicateTypeOf(options.requiredText('type'));
  const file = options.requiredText('predicate');
  const predicate = parseJsonStrict(await readInput(file), `reading ${file}`);
  const image = await openImage(context, options, args[0] ?? '');
  const subject = image.manifest.descriptor;
  const { digest } = subject;
  const body = buildInToto({ name: repositoryName(image.reference), digest, predicateType, predicate });
  const toSign = { kind: `dsse:${IN_TOTO_TYPE}`, payload: pae(IN_TOTO_TYPE, body) };
  const { key, signatures } = await signWithKey(context, options.requiredText('key'), [toSign]);
  requireCosignAlgorithm(key);
  const signature = encodeSignature(key, signatures[0]?.signature ?? Buffer.alloc(0));
  const spki = Buffer.from(key.publicKey ?? '', 'base64');
  const to = { repository: image.repository, subject, spki };
  const bundle = await publishAttestation(to, { body, signature, predicateType });
  context.note(
    `touchstone: attested ${predicateType} about ${image.repository.name} ${digest} with ${key.name}`,
  );
  const json = {
    key: key.name,
    keyId: key.keyId,
    auditId: signatures[0]?.auditId,
    digest,
    predicateType,
    bundle,
    statement: JSON.parse(body.toString('utf8')) as object,
  };
  return { json, text: '' };
}
