const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is no folder',
  EEXIST: 'something else is in its place',
  ENOSPC: 'no space left',
  EROFS: 'the file system is read-only',
};

/** Why a file could not be used, for a person; the errno name where there are no better words. */
export function fileFault(thrown: unknown): string {
  const errno = errnoOf(thrown);
  return WORDS[errno] ?? errno;
}

/** The errno name of a failed system call (`ENOSPC`), or `unknown` for anything else that was thrown. */
export function errnoOf(thrown: unknown): string {
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') return thrown.code;
  return 'unknown';
}
