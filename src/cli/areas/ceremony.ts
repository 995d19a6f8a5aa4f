/** Words of `ceremony`: root keys of several people, in a room without a network. */
import type { ArgumentSpec, CommandSpec, OptionSpec } from '../command.js';
import { PIN_OPTIONS } from './pin-options.js';
import { TRUST_OPTION_SPECS } from './trust-options.js';

const FOLDER: ArgumentSpec = { name: '<folder>', summary: 'folder of the ceremony' };
const BY: OptionSpec = {
  flags: '--by <name>',
  summary: 'who speaks; the first who takes part when left out',
};

export const CEREMONY_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['ceremony', 'new'],
    summary: 'prepare a ceremony: one folder with all that the room needs',
    arguments: [
      {
        name: '<action>',
        summary: 'init, extend, rotate, threshold, certify, revoke, online-keys or heal',
      },
    ],
    options: [
      { flags: '--out <folder>', summary: 'folder to make', required: true },
      { flags: '--reason <text>', summary: 'why, in one line', required: true },
      {
        flags: '--expires <date>',
        summary: 'when what is signed expires, for example 2027-06-01',
        required: true,
      },
      {
        flags: '--base <file>',
        summary: 'root (or targets) that is the newest now, and those before it',
        kind: 'list',
      },
      { flags: '--policy <file>', summary: 'policy.json, from out/ of the ceremony before' },
      { flags: '--previous <file>', summary: 'transcript.jsonl of the ceremony before, sealed' },
      { flags: '--name <text>', summary: 'what it is the root of, for a first policy' },
      {
        flags: '--maker <file>',
        summary: 'for a first policy: makers of tokens, PEM; each key has to be attested by one of them',
        kind: 'list',
      },
      { flags: '--min-firmware <version>', summary: 'for a first policy: oldest firmware of a token' },
      { flags: '--touch <how>', summary: 'for a first policy: always or cached, of each key' },
      { flags: '--enrolment <file>', summary: 'enrol-NAME.json of a new key; may be repeated', kind: 'list' },
      { flags: '--replace <old=new>', summary: 'holder who leaves and holder who enters', kind: 'list' },
      { flags: '--leaves <name>', summary: 'holder who leaves, or NAME:SERIAL', kind: 'list' },
      {
        flags: '--enters <name>',
        summary: 'holder who enters; everybody enrolled when left out',
        kind: 'list',
      },
      { flags: '--threshold <number>', summary: 'how many keys have to sign from now on' },
      { flags: '--signer <name>', summary: 'holder who is expected; all when left out', kind: 'list' },
      {
        flags: '--online <role=file>',
        summary: 'PEM public key of targets, snapshot or timestamp, or REPOSITORY#ROLE=FILE',
        kind: 'list',
      },
      {
        flags: '--online-keys <file>',
        summary: 'such keys as "touchstone trust online-keys" wrote them',
        kind: 'list',
      },
      {
        flags: '--online-threshold <role=number>',
        summary: 'how many of these keys have to sign',
        kind: 'list',
      },
      {
        flags: '--repository <name>',
        summary: 'repository of a notary-server that gets its first root; all of --online-keys when left out',
        kind: 'list',
      },
      {
        flags: '--delegate <name=keys:paths>',
        summary: 'role in the targets, for example repo-app=app.pem:app/*',
        kind: 'list',
      },
      { flags: '--undelegate <name>', summary: 'role in the targets that is revoked', kind: 'list' },
      {
        flags: '--certify <name=file>',
        summary: 'key that the agent may sign with, REPOSITORY#ROLE@EPOCH=KEY.pem',
        kind: 'list',
      },
      { flags: '--revoke-key <name=file>', summary: 'key whose certificates are taken back', kind: 'list' },
      { flags: '--after <file>', summary: 'earlier certificate of such a key', kind: 'list' },
      { flags: '--from <version>', summary: 'version whose content comes back, for heal' },
      { flags: '--id <id>', summary: 'name of the ceremony; that of the enrolments when left out' },
    ],
    examples: [
      'touchstone ceremony new rotate --replace carol=dave --enrolment enrol-dave.json --base 7.root.json --policy policy.json --previous transcript.jsonl --expires 2027-06-01 --reason "Carol leaves" --out root-8',
      'touchstone ceremony new init --enrolment enrol-alice.json --enrolment enrol-bob.json --threshold 2 --online-keys online-keys.json --expires 2027-06-01 --reason "first roots" --out notary-1',
      'touchstone ceremony new init --enrolment enrol-alice.json --enrolment enrol-bob.json --enrolment enrol-carol.json --threshold 2 --online targets=targets.pem --online snapshot=online.pem --online timestamp=online.pem --expires 2027-06-01 --reason "first root" --out root-1',
    ],
    load: async () => (await import('../commands/ceremony-new.js')).ceremonyNew,
  },
  {
    path: ['ceremony', 'rehearse'],
    summary:
      'play a prepared ceremony on SoftHSM tokens named after the holders; nothing of it verifies in earnest',
    arguments: [FOLDER],
    options: [
      { flags: '--out <folder>', summary: 'folder to make', required: true },
      {
        flags: '--waive <check=name>',
        summary: 'check that will be waived on the day, and by whom',
        kind: 'list',
      },
    ],
    examples: [
      'touchstone ceremony rehearse root-8 --out rehearsal-8',
      'touchstone ceremony rehearse notary-2 --out rehearsal-2 --waive THRESHOLD-SANE=lena',
    ],
    load: async () => (await import('../commands/ceremony-rehearse.js')).ceremonyRehearse,
  },
  {
    path: ['ceremony', 'enrol'],
    summary: "make a root key on a holder's token, and prove that they have it",
    arguments: [{ name: '<name>', summary: 'who holds the token' }],
    options: [
      { flags: '--ceremony <id>', summary: 'name of the ceremony that the key is for', required: true },
      { flags: '--token <name>', summary: 'token in touchstone.toml', required: true },
      {
        flags: '--public-key <file>',
        summary:
          'take this key, which is on the token already, PEM; of a YubiKey the one in 9C when left out',
      },
      { flags: '--algorithm <name>', summary: 'of a new key: ecdsa-p256 (default), ed25519 or rsa-3072' },
      { flags: '--confirm <serial>', summary: 'serial number of a token that holds a root key already' },
      {
        flags: '--repository <name>',
        summary: 'repository of a notary-server that the key gets a certificate for; may be repeated',
        kind: 'list',
      },
      { flags: '--bag <text>', summary: 'number of the bag that the token goes back into' },
      { flags: '-o, --output <file>', summary: 'enrol-NAME.json when left out' },
      ...PIN_OPTIONS,
    ],
    examples: [
      'touchstone ceremony enrol dave --ceremony root-8 --token dave --bag 4712',
      'touchstone ceremony enrol dave --ceremony root-8 --token dave --public-key dave.pem',
    ],
    load: async () => (await import('../commands/ceremony-enrol.js')).ceremonyEnrol,
  },
  {
    path: ['ceremony', 'open'],
    summary: 'check everything before a token is touched',
    arguments: [FOLDER],
    options: [
      { flags: '--today <date>', summary: 'what day it is, for example 2026-11-22; asked for when left out' },
      { flags: '--manifest <hash>', summary: 'hash of MANIFEST from the paper: stop if it is another one' },
      { flags: '--holder <name>', summary: 'who is there to sign; may be repeated', kind: 'list' },
      { flags: '--leader <name>', summary: 'who leads', kind: 'list' },
      { flags: '--witness <name>', summary: 'who watches; may be repeated', kind: 'list' },
      { flags: '--scribe <name>', summary: 'who writes down', kind: 'list' },
      { flags: '--waive <check=name>', summary: 'check that may fail, and who answers for it', kind: 'list' },
      {
        flags: '--unsealed <words>',
        summary: 'what waiving PREVIOUS-SEALED means ("anybody can have written it"), instead of typing it',
      },
    ],
    examples: [
      'touchstone ceremony open root-8 --holder alice --holder bob --witness wendy',
      'touchstone ceremony open root-8 --waive PREVIOUS-SEALED=lena --unsealed "anybody can have written it"',
    ],
    load: async () => (await import('../commands/ceremony-open.js')).ceremonyOpen,
  },
  {
    path: ['ceremony', 'review'],
    summary: 'read what is signed, and confirm it by typing what only a reader knows',
    arguments: [FOLDER],
    options: [
      { flags: '--raw', summary: 'print the exact bytes instead' },
      { flags: '--show', summary: 'read only, confirm nothing' },
      {
        flags: '--confirm <text>',
        summary: 'version number and first two words of the request, instead of typing them',
      },
      BY,
    ],
    examples: ['touchstone ceremony review root-8', 'touchstone ceremony review root-8 --raw'],
    load: async () => (await import('../commands/ceremony-review.js')).ceremonyReview,
  },
  {
    path: ['ceremony', 'sign'],
    summary: 'sign with the tokens of the holders, one after the other',
    arguments: [FOLDER],
    options: [
      {
        flags: '--holder <name>',
        summary: 'only the tokens of this holder; may be repeated; all who are expected when left out',
        kind: 'list',
      },
      ...PIN_OPTIONS,
    ],
    examples: ['touchstone ceremony sign root-8', 'touchstone ceremony sign root-8 --holder alice'],
    load: async () => (await import('../commands/ceremony-sign.js')).ceremonySign,
  },
  {
    path: ['ceremony', 'add'],
    summary: 'take signatures and seals that were made elsewhere, and show the board',
    arguments: [
      FOLDER,
      {
        name: '[file...]',
        summary: 'signature files, or transcripts with seals (.jsonl); none to see the board only',
      },
    ],
    examples: [
      'touchstone ceremony add root-8 sig-root-v8-d76b03f1a5b6c7d8.json',
      'touchstone ceremony add root-8',
    ],
    load: async () => (await import('../commands/ceremony-add.js')).ceremonyAdd,
  },
  {
    path: ['ceremony', 'note'],
    summary: 'write a line of the scribe into the transcript',
    arguments: [FOLDER, { name: '<text...>', summary: 'what happened' }],
    options: [BY, { flags: '--deviation <reason>', summary: 'it was not as planned, and why' }],
    examples: ['touchstone ceremony note root-8 "bag 4711 was opened, the seal was whole" --by wendy'],
    load: async () => (await import('../commands/ceremony-note.js')).ceremonyNote,
  },
  {
    path: ['ceremony', 'close'],
    summary: 'write what leaves the room, once enough have signed',
    arguments: [FOLDER],
    options: [{ flags: '--leave-open', summary: 'write what is complete, and leave the rest for later' }],
    examples: ['touchstone ceremony close root-8'],
    load: async () => (await import('../commands/ceremony-close.js')).ceremonyClose,
  },
  {
    path: ['ceremony', 'seal'],
    summary: 'have the holders who signed here sign the transcript, once it is closed',
    arguments: [FOLDER],
    options: [
      {
        flags: '--holder <name>',
        summary: 'only this holder, who may have signed elsewhere; may be repeated',
        kind: 'list',
      },
      ...PIN_OPTIONS,
    ],
    examples: ['touchstone ceremony seal root-8', 'touchstone ceremony seal root-8 --holder bob'],
    load: async () => (await import('../commands/ceremony-seal.js')).ceremonySeal,
  },
  {
    path: ['ceremony', 'verify'],
    summary: 'replay a ceremony: files, checks, signatures, transcript',
    arguments: [FOLDER],
    options: [
      { flags: '--transcript', summary: 'print the transcript too' },
      { flags: '--html <file>', summary: 'write the transcript as a page that prints' },
    ],
    examples: ['touchstone ceremony verify root-8', 'touchstone ceremony verify root-8 --html root-8.html'],
    load: async () => (await import('../commands/ceremony-verify.js')).ceremonyVerify,
  },
  {
    path: ['ceremony', 'import'],
    summary: 'verify once more, then publish: into a directory, or to the trust server',
    arguments: [FOLDER],
    options: [
      { flags: '--to <directory>', summary: 'metadata of a TUF repository' },
      { flags: '--calendar <file>', summary: 'write when the next one is due, for calendars' },
      {
        flags: '--days <number>',
        summary: 'how long what is signed beside a root is good (default: 1095)',
      },
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone ceremony import root-8 --to repository/metadata --calendar next-root.ics',
      'touchstone ceremony import notary-1 --server https://notary.example',
    ],
    load: async () => (await import('../commands/ceremony-import.js')).ceremonyImport,
  },
  {
    path: ['ceremony', 'inventory'],
    summary: 'list who holds which token, and whose firmware is too old',
    arguments: [{ name: '<folder...>', summary: 'stored folders of ceremonies, of one root or of several' }],
    options: [
      {
        flags: '--min-firmware <version>',
        summary: 'list only tokens that are older; exit status 1 if there are any',
      },
    ],
    examples: [
      'touchstone ceremony inventory root-*',
      'touchstone ceremony inventory root-7 root-8 --min-firmware 5.7.0',
    ],
    load: async () => (await import('../commands/ceremony-inventory.js')).ceremonyInventory,
  },
];
