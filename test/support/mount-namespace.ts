/** Words in front of a command that gives it mounts of its own. Root, or a user namespace, is enough. */

export const MOUNT_NAMESPACE =
  process.getuid?.() === 0 ? (['unshare', '-m'] as const) : (['unshare', '-rm'] as const);
