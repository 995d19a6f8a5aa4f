/** Words of `tuf`. */
import type { ArgumentSpec, CommandSpec, OptionSpec } from '../command.js';

const FOLDER: ArgumentSpec = { name: '<folder>', summary: 'the repository, for example ./updates' };
const TRUST_DIR: OptionSpec = {
  flags: '--trust-dir <folder>',
  summary: 'roots that are trusted here (default: TOUCHSTONE_TRUST_DIR, else the folder trust of the state)',
};
const ROOT: OptionSpec = {
  flags: '--root <file>',
  summary: 'trust this root, which you have compared (default: the root that is trusted on this machine)',
};
const DAYS: OptionSpec = {
  flags: '--days <role=number>',
  summary: 'how long signatures of a role are good, for example targets=90; may be repeated',
  kind: 'list',
};
const ROLE: OptionSpec = { flags: '--role <role>', summary: 'the role (default: targets)' };
const FROM: OptionSpec = { flags: '--from <role>', summary: 'the role that delegates (default: targets)' };
const WITHIN: OptionSpec = {
  flags: '--within <time>',
  summary: 'only when it expires within this time, for example 2d: for cron',
};
const PUBLISHING: readonly OptionSpec[] = [DAYS, ROOT, TRUST_DIR];

export const TUF_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['tuf', 'init'],
    summary: 'begin a TUF repository in a folder: root on tokens, everything else derived',
    arguments: [
      FOLDER,
      { name: '<repository>', summary: 'its name in the names of keys, for example acme.example/updates' },
    ],
    options: [
      {
        flags: '--key <role=key>',
        summary:
          'a key of root, targets, snapshot or timestamp: REPOSITORY#ROLE of this agent, or a PEM file; may be repeated',
        kind: 'list',
      },
      {
        flags: '--threshold <role=number>',
        summary: 'how many keys of the role have to sign (default 1); may be repeated',
        kind: 'list',
      },
      {
        flags: '--root <file>',
        summary: 'begin with roots that a ceremony has made, from version 1 on; may be repeated',
        kind: 'list',
      },
      DAYS,
      TRUST_DIR,
    ],
    examples: [
      'touchstone tuf init ./updates acme.example/updates',
      "touchstone tuf init ./updates acme.example/updates --key root='acme.example/updates#root:1' --key root=bob.pem --threshold root=2",
      'touchstone tuf init ./updates acme.example/updates --root out/1.root.json',
    ],
    load: async () => (await import('../commands/tuf-init.js')).tufInit,
  },
  {
    path: ['tuf', 'add'],
    summary: 'add files as targets, or new contents of them: hashed, stored, signed and published',
    arguments: [FOLDER, { name: '<file...>', summary: 'files; of a folder everything in it' }],
    options: [
      { flags: '--name <name>', summary: 'name of the target, for one file (default: the name of the file)' },
      { flags: '--prefix <path>', summary: 'put in front of every name, for example dist/' },
      ROLE,
      ...PUBLISHING,
    ],
    examples: [
      'touchstone tuf add ./updates app-1.0.tar.gz',
      'touchstone tuf add ./updates --prefix dist/ ./build',
      'touchstone tuf add ./updates --role team-a --prefix team-a/ tool.bin',
    ],
    load: async () => (await import('../commands/tuf-add.js')).tufAdd,
  },
  {
    path: ['tuf', 'remove'],
    summary: 'take targets out; their files stay until you delete them',
    arguments: [FOLDER, { name: '<name...>', summary: 'names of targets' }],
    options: [ROLE, ...PUBLISHING],
    examples: ['touchstone tuf remove ./updates dist/app-0.9.tar.gz'],
    load: async () => (await import('../commands/tuf-remove.js')).tufRemove,
  },
  {
    path: ['tuf', 'delegate'],
    summary: 'let a role sign for paths, or for hash bins; change that, or take it back',
    arguments: [
      FOLDER,
      { name: '<role>', summary: 'name of the role; with --bins the prefix of their names' },
    ],
    options: [
      {
        flags: '--path <pattern>',
        summary: 'paths that it signs for, for example "team-a/*"; may be repeated',
        kind: 'list',
      },
      { flags: '--bins <bits>', summary: 'spread everything over 2^bits hash bins, 1 to 14' },
      {
        flags: '--key <key>',
        summary: 'REPOSITORY#targets/ROLE of this agent (default), or a PEM file; may be repeated',
        kind: 'list',
      },
      { flags: '--threshold <number>', summary: 'how many of its keys have to sign (default 1)' },
      { flags: '--terminating', summary: 'clients ask nobody else for these paths' },
      { flags: '--no-terminating', summary: 'clients go on asking other roles (default)' },
      FROM,
      { flags: '--remove', summary: 'take the delegation back' },
      ...PUBLISHING,
    ],
    examples: [
      "touchstone tuf delegate ./updates team-a --path 'team-a/*'",
      "touchstone tuf delegate ./updates team-b --path 'team-b/*' --key b1.pem --key b2.pem --threshold 2 --terminating",
      'touchstone tuf delegate ./updates bins --bins 8',
      'touchstone tuf delegate ./updates team-a --remove',
    ],
    load: async () => (await import('../commands/tuf-delegate.js')).tufDelegate,
  },
  {
    path: ['tuf', 'sign'],
    summary: 'add your signatures to what waits for several; or make a new version of a role',
    arguments: [
      { name: '<folder>', summary: 'the repository, or one file with --key' },
      { name: '[role]', summary: 'only this role; without anything that waits, a new version of it' },
    ],
    options: [
      {
        flags: '--add <file>',
        summary: 'take over the signatures in this file; may be repeated',
        kind: 'list',
      },
      {
        flags: '--key <key>',
        summary:
          'for one file: the key to sign with; for the role root: ROLE=KEY, a key that it names from now on; may be repeated',
        kind: 'list',
      },
      {
        flags: '--threshold <role=number>',
        summary: 'for the role root: how many keys of a role have to sign from now on; may be repeated',
        kind: 'list',
      },
      {
        flags: '-o, --output <file>',
        summary: 'for one file: write the result there (default: the file itself)',
      },
      { flags: '--drop', summary: 'drop what waits of this role' },
      ...PUBLISHING,
    ],
    examples: [
      'touchstone tuf sign ./updates',
      'touchstone tuf sign ./updates targets',
      "touchstone tuf sign 2.targets.json --key 'acme.example/updates#targets'",
      'touchstone tuf sign ./updates --add 2.targets.json',
      "touchstone tuf sign ./updates root --key root='acme.example/updates#root:1' --key root=carol.pem",
    ],
    load: async () => (await import('../commands/tuf-sign.js')).tufSign,
  },
  {
    path: ['tuf', 'snapshot'],
    summary: 'sign a new snapshot of what is there, and a timestamp for it',
    arguments: [FOLDER],
    options: [WITHIN, ...PUBLISHING],
    examples: ['touchstone tuf snapshot ./updates', 'touchstone tuf snapshot ./updates --within 10d'],
    load: async () => (await import('../commands/tuf-renew.js')).tufSnapshot,
  },
  {
    path: ['tuf', 'timestamp'],
    summary: 'sign a new timestamp',
    arguments: [FOLDER],
    options: [WITHIN, ...PUBLISHING],
    examples: ['touchstone tuf timestamp ./updates', 'touchstone tuf timestamp ./updates --within 3d'],
    load: async () => (await import('../commands/tuf-renew.js')).tufTimestamp,
  },
  {
    path: ['tuf', 'verify'],
    summary: 'walk the repository as a client does, from a root that is trusted; check every file',
    arguments: [FOLDER, { name: '[target...]', summary: 'only what clients get for these names' }],
    options: [
      { flags: '--profile <name>', summary: '"portable": find also what only some clients read' },
      { flags: '--at <time>', summary: 'judge dates as of this time, for example 2027-01-31T12:00:00Z' },
      ROOT,
      TRUST_DIR,
    ],
    examples: [
      'touchstone tuf verify ./updates --root 1.root.json',
      'touchstone tuf verify ./updates dist/app-1.0.tar.gz',
      'touchstone tuf verify ./updates --profile portable',
    ],
    load: async () => (await import('../commands/tuf-verify.js')).tufVerify,
  },
  {
    path: ['tuf', 'watch'],
    summary:
      'report what has to be renewed; exit status 1 when a window is open, 6 when it is late, expired or broken',
    arguments: [{ name: '<folder...>', summary: 'repositories' }],
    options: [
      {
        flags: '--window <role=days>',
        summary: 'days before expiry from which on a role is to be renewed; may be repeated',
        kind: 'list',
      },
      {
        flags: '--alarm <role=days>',
        summary: 'days before expiry from which on it is late; may be repeated',
        kind: 'list',
      },
      {
        flags: '--calendar <file>',
        summary: 'write the dates as a calendar file (iCalendar); - for standard output',
      },
      { flags: '--at <time>', summary: 'judge dates as of this time, for example 2027-01-31T12:00:00Z' },
      ROOT,
      TRUST_DIR,
    ],
    examples: [
      'touchstone tuf watch ./updates',
      'touchstone tuf watch --window root=90 --alarm root=30 --calendar updates.ics ./updates',
    ],
    load: async () => (await import('../commands/tuf-watch.js')).tufWatch,
  },
];
