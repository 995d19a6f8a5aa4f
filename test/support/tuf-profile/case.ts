/** One fixture of the portable profile: a document that keeps a rule or breaks it. */
export type Json = Record<string, unknown>;
export type TufFileType = 'root' | 'targets' | 'snapshot' | 'timestamp';

export type Expected = 'portable' | 'finding' | 'refused';

export interface Case {
  readonly rule: string;
  readonly type: TufFileType;
  readonly expected: Expected;
  readonly note: string;
  readonly change?: (signed: Json) => void;
  /** Of the finished file, where JSON itself is bent. */
  readonly text?: (file: string) => string;
  readonly signatures?: (signatures: Json[]) => Json[];
}

/** The object at a path of names. */
export function at(value: unknown, ...names: readonly (string | number)[]): Json {
  let found = value;
  for (const name of names) found = (found as Record<string | number, unknown>)[name];
  return found as Json;
}
