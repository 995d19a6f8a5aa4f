/** `touchstone policy check`: the same reader the agent uses, without the agent. */
import { parsePolicy } from '../../policy/document.js';
import { warningsOf } from '../../policy/warnings.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readTextFile } from '../input-file.js';
import { placesOf } from '../places.js';
import { counted } from '../table.js';

/** Checks one policy file; a mistake is an error with line and column. */
export async function policyCheck(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const file = invocation.args[0] ?? (await placesOf(context)).policyFile;
  const policy = parsePolicy(readTextFile(file), file);
  const warnings = warningsOf(policy, Date.now());
  const words = warnings.map(({ rule, message }) => `warning: rule "${rule}": ${message}`);
  const count = counted(policy.rules.length, 'rule');
  return {
    json: { file, rules: policy.rules.length, warnings },
    text: [...words, `good: ${file}, ${count}`].join('\n'),
  };
}
