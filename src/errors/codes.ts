/**
 * The one closed table of errors. A code says what failed; its row says, in one sentence, what that means,
 * what to do next, whether trying again can help, and how the outside world hears of it.
 *
 * Rows are grouped by the noun they belong to. Nothing else is thrown on purpose anywhere in the project.
 */

/** Whether the same call can succeed later without a change (`later`), after somebody did something, or never. */
export type Retry = 'never' | 'later' | 'after-user-action';

/**
 * Exit statuses of every program: 0 done, 1 failed, 2 wrong usage, 3 denied by policy or by the user,
 * 4 token absent, locked or PIN wrong, 5 agent unreachable or of another version, 6 verification failed,
 * 7 timed out, 130 interrupted.
 */
export type ExitStatus = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 130;

export interface ErrorRow {
  /** Default sentence: lower case, no period, never a secret or payload bytes. */
  readonly sentence: string;
  /** What to do next; holds the command where one exists. */
  readonly hint: string;
  readonly retry: Retry;
  readonly exit: ExitStatus;
  /** JSON-RPC 2.0 error code, unique per row; -326xx are the specification's own. */
  readonly rpc: number;
}

function row(sentence: string, hint: string, retry: Retry, exit: ExitStatus, rpc: number): ErrorRow {
  return { sentence, hint, retry, exit, rpc };
}

// prettier-ignore
export const ERROR_TABLE = {
  // internal
  'internal.unexpected': row('something happened that should be impossible', 'run "touchstone doctor" and report what it prints', 'never', 1, -32603),

  // usage: what a person or program handed us
  'usage.invalid': row('the input is not valid', 'see "touchstone --help"', 'never', 2, -32602),
  'usage.path-relative': row('an absolute path is needed', 'write the path from the root, for example /etc/touchstone/policy.toml', 'never', 2, -32010),
  'usage.pin-in-uri': row('a PIN must not stand in a key URI', 'leave out pin-value and pin-source; "touchstone unlock" asks for the PIN', 'never', 2, -32011),
  'usage.interrupted': row('interrupted', 'run the command again when you are ready', 'after-user-action', 130, -32012),
  'usage.file': row('the file could not be read', 'check its path and permissions', 'after-user-action', 1, -32013),

  // rpc: the protocol itself
  'rpc.parse': row('the message is not JSON', 'send one JSON-RPC 2.0 object per WebSocket text message', 'never', 2, -32700),
  'rpc.request': row('the message is not a JSON-RPC 2.0 request', 'see docs/spec/protocol.md', 'never', 2, -32600),
  'rpc.method': row('no such method', 'see docs/spec/protocol.md; "touchstone version" shows both versions', 'never', 5, -32601),
  'rpc.version': row('client and agent speak different versions of the protocol', 'restart the agent: "touchstone agent stop", then "touchstone agent start"', 'after-user-action', 5, -32020),

  // limits
  'limits.frame-too-large': row('the message is larger than a frame may be', 'send less in one request; the limits are in docs/spec/protocol.md', 'never', 2, -32030),
  'limits.in-flight': row('too many requests wait on this connection', 'wait for replies before sending more', 'later', 7, -32031),
  'limits.connections': row('too many connections are open for this user', 'close some, or reuse one connection', 'later', 5, -32032),
  'limits.queue': row('too many requests wait for this token', 'try again in a moment', 'later', 7, -32033),
  'limits.batch': row('the batch holds too many requests', 'split it; the limits are in docs/spec/protocol.md', 'never', 2, -32034),
  'limits.deadline': row('the request did not finish by its deadline', 'try again, or give a longer --timeout', 'later', 7, -32035),
  'limits.cancelled': row('the request was cancelled', 'send it again if you still want it', 'after-user-action', 130, -32036),

  // agent: reaching it, running it
  'agent.unreachable': row('no agent answers', 'start it with "touchstone agent start"', 'after-user-action', 5, -32040),
  'agent.already-running': row('an agent already runs on this socket', 'use it, or stop it with "touchstone agent stop"', 'after-user-action', 1, -32041),
  'agent.impostor': row('the socket is served by another user', 'check who made it: "touchstone doctor"', 'after-user-action', 5, -32042),
  'agent.socket-path': row('the socket path cannot be used', 'choose a shorter absolute path in TOUCHSTONE_SOCK; "touchstone paths" shows the default', 'after-user-action', 2, -32043),
  'agent.socket-directory': row('the folder of the socket is not private', 'make it yours alone: chmod 0700, owned by you', 'after-user-action', 1, -32044),
  'agent.root-refused': row('the agent does not run as root', 'run it as your own user, or pass --allow-root if you mean it', 'never', 2, -32045),
  'agent.stopping': row('the agent is stopping', 'start it again with "touchstone agent start"', 'later', 5, -32046),
  'agent.start-failed': row('the agent did not start', 'run "touchstone agent run" to see why', 'after-user-action', 1, -32047),
  'agent.keeper-lost': row('the keeper went away', 'start the agent again with "touchstone agent start"', 'later', 5, -32048),

  // peer: who asks
  'peer.unknown': row('the kernel did not say who is calling', 'build the native shim: "npm run build:native"', 'never', 5, -32050),
  'peer.uid-refused': row('this user may not talk to the agent', 'ask the owner to name your uid in policy.toml', 'after-user-action', 3, -32051),
  'peer.owner-only': row('only the user the agent runs as may do this', 'ask the owner, or run the command as that user', 'never', 3, -32053),
  'peer.door-locked': row('the SSH door is shut with a passphrase', 'open it with "ssh-add -X"', 'after-user-action', 3, -32054),
  'peer.origin-refused': row('browsers may not talk to the agent', 'use a program that does not send an Origin header', 'never', 3, -32052),

  // native shim
  'native.missing': row('the native shim is not built', 'build it with "npm run build:native"', 'after-user-action', 1, -32060),
  'native.call': row('a system call failed', 'run "touchstone doctor"', 'never', 1, -32061),
  'native.driver-binding': row('the PKCS#11 binding is not built', 'install with "npm install -g touchstone --allow-scripts=pkcs11js"', 'after-user-action', 1, -32062),
  'native.hardening': row('a protection of the process could not be set', 'run "touchstone doctor" and see docs/threat-model.md', 'never', 1, -32063),

  // config, policy, state files
  'config.invalid': row('the configuration is not valid', 'correct it, then run "touchstone config show"', 'after-user-action', 2, -32070),
  'config.missing': row('there is no configuration yet', 'run "touchstone init"', 'after-user-action', 2, -32071),
  'config.exists': row('a configuration already exists', 'edit it, or remove it first; "touchstone paths" shows where it is', 'after-user-action', 2, -32072),
  'policy.invalid': row('the policy is not valid', 'correct it, then run "touchstone policy check"', 'after-user-action', 2, -32073),
  'policy.missing': row('there is no policy, so nothing may be signed', 'run "touchstone init"', 'after-user-action', 3, -32074),
  'state.version': row('the state file was written by another release', 'use the release that wrote it, or a newer one', 'never', 1, -32075),
  'state.damaged': row('the state file is damaged', 'restore it from a backup; it was not changed', 'never', 1, -32076),
  'state.write': row('a state file could not be written', 'free some space or make the folder writable, then try again', 'after-user-action', 1, -32077),
  'state.locked': row('another process holds the lock on the state folder', 'stop it first: "touchstone agent stop"', 'later', 1, -32078),
  'state.folder': row('the state folder is not private', 'make it yours alone: chmod 0700, owned by you', 'after-user-action', 1, -32079),

  // policy decisions
  'policy.denied': row('the policy does not allow this', 'see why with "touchstone policy explain"', 'after-user-action', 3, -32080),
  'policy.limit': row('the limit of the rule is used up', 'wait, or raise the limit in policy.toml', 'later', 3, -32081),
  'policy.consent-unavailable': row('the rule asks for a consent this agent cannot obtain', 'change the rule; "touchstone policy check" names what is not available', 'after-user-action', 3, -32082),

  // guard: one content for each version of repository metadata
  'guard.version': row('the version was signed or published before', 'sign a higher version; see "touchstone guard show"', 'never', 3, -32240),
  'guard.conflict': row('this version is signed with other content', 'see "touchstone guard show"; what nobody stored is given up with "touchstone guard abandon"', 'after-user-action', 3, -32241),
  'guard.older': row('the guard is older than the one this agent has used', 'put the newest folder guard/ back; docs/operations/recovery.md says what to do without one', 'after-user-action', 6, -32242),

  // statements
  'statement.unrecognised': row('the bytes are not what the request says they are', 'send the exact bytes of the kind you name', 'never', 2, -32090),
  'statement.repository': row('the statement names another repository than the key', 'sign with the key of that repository; see "touchstone key list"', 'never', 3, -32091),
  'statement.kind': row('the key may not sign this kind', 'choose a key with a fitting role; see "touchstone key list"', 'never', 3, -32092),

  // keys
  'key.name-invalid': row('the key name is not valid', 'write REPOSITORY#ROLE[@EPOCH][~ALGORITHM][:INDEX]', 'never', 2, -32100),
  'key.uri-invalid': row('the key URI is not valid', 'write it after RFC 7512, for example pkcs11:token=release', 'never', 2, -32101),
  'key.unknown': row('there is no such key', 'see "touchstone key list", or make it with "touchstone key derive"', 'after-user-action', 2, -32102),
  'key.ambiguous': row('more than one key matches', 'add @EPOCH, ~ALGORITHM or :INDEX', 'never', 2, -32103),
  'key.retired': row('the key is retired', 'sign with the active epoch', 'never', 3, -32104),
  'key.revoked': row('the key is revoked', 'derive the next epoch with "touchstone key rotate"', 'never', 3, -32105),
  'key.usage': row('the key is not meant for this', 'choose another key; see "touchstone key list"', 'never', 3, -32106),
  'key.locked': row('the key is not loaded', 'load it with "touchstone unlock"', 'after-user-action', 4, -32107),
  'key.exists': row('the key already exists', 'use it, or move on with "touchstone key rotate"', 'never', 2, -32108),
  'key.mismatch': row('the derived key is not the recorded one', 'check that this is the right token: "touchstone token show"', 'never', 4, -32109),
  'key.field-invalid': row('a field of the derivation context is not valid', 'see docs/spec/derivation.md for the alphabet of each field', 'never', 2, -32110),

  // keyring
  'keyring.missing': row('there is no keyring yet', 'make the root and derivation key with "touchstone token setup"', 'after-user-action', 2, -32120),
  'keyring.exists': row('a keyring already exists', 'keep it; to start over choose another state folder', 'never', 2, -32121),
  'keyring.signature': row('the keyring is not signed by its root', 'restore it from a backup; it may have been changed by hand', 'never', 6, -32122),
  'keyring.other-token': row('the keyring belongs to another token', 'insert the token it names, or choose another state folder', 'after-user-action', 4, -32123),
  'keyring.older': row('the keyring is older than the one this agent has used', 'put the newest keyring.json back; "touchstone paths" shows where it belongs', 'after-user-action', 6, -32124),

  // leases
  'lease.expired': row('the lease has ended', 'unlock again with "touchstone unlock"', 'after-user-action', 4, -32130),
  'lease.kind': row('the lease does not cover this kind', 'unlock again with the kinds you need', 'after-user-action', 3, -32131),
  'lease.uses': row('the lease has no uses left', 'unlock again with "touchstone unlock"', 'after-user-action', 4, -32132),
  'lease.attempt': row('the unlock attempt is unknown or too old', 'start again with "touchstone unlock"', 'after-user-action', 4, -32133),
  'lease.secure-heap': row('the secure heap for keys is full', 'unlock fewer keys at once with --key', 'after-user-action', 1, -32134),

  // tokens
  'token.unknown': row('no such token is configured', 'see "touchstone token list"', 'never', 2, -32140),
  'token.absent': row('the token is not connected', 'insert it; "touchstone unlock --wait 60s" waits for it', 'after-user-action', 4, -32141),
  'token.ambiguous': row('more than one token matches', 'name it by serial in the URI', 'after-user-action', 4, -32142),
  'token.module-missing': row('the PKCS#11 module could not be loaded', 'check its path in touchstone.toml; "touchstone doctor" looks for it', 'after-user-action', 4, -32143),
  'token.locked': row('the token is locked', 'unlock it with "touchstone unlock"', 'after-user-action', 4, -32144),
  'token.pin-incorrect': row('the PIN is wrong', 'try again with the right PIN', 'after-user-action', 4, -32145),
  'token.pin-locked': row('the PIN is locked', 'unblock it with the PUK or SO PIN of the token, for a YubiKey with "ykman piv access unblock-pin"; to reset the token would erase its keys', 'after-user-action', 4, -32146),
  'token.pin-known-wrong': row('this PIN was already refused by the token', 'enter another one; it was not sent again', 'after-user-action', 4, -32147),
  'token.pin-last-try': row('only one try is left before the PIN locks', 'if you are sure of the PIN, add --use-last-try SERIAL', 'after-user-action', 4, -32148),
  'token.pin-format': row('the PIN has a length or form the token does not take', 'enter it again', 'after-user-action', 4, -32149),
  'token.pin-needed': row('the token asks for the PIN', 'unlock it with "touchstone unlock"', 'after-user-action', 4, -32150),
  'token.pin-expired': row('the PIN has expired and must be changed', 'change it with the tool of the token', 'after-user-action', 4, -32151),
  'token.key-missing': row('the key is not on the token', 'check that this is the right token: "touchstone token show"', 'after-user-action', 4, -32152),
  'token.object-exists': row('the token already holds a key with this label', 'choose another token or label; nothing was changed', 'after-user-action', 2, -32153),
  'token.unsupported': row('the token cannot do this', 'see docs/tokens for what each token can do', 'never', 1, -32154),
  'token.busy': row('another program uses the token', 'close it and try again', 'later', 4, -32155),
  'token.removed': row('the token was removed', 'insert it again', 'after-user-action', 4, -32156),
  'token.device': row('the token reported an error', 'insert it again; then "touchstone token list"', 'later', 4, -32157),
  'token.memory': row('the token has no room left', 'remove objects you no longer need', 'after-user-action', 1, -32158),
  'token.write-protected': row('the token is write protected', 'remove the protection', 'after-user-action', 4, -32159),
  'token.host-crashed': row('the driver of the token crashed', 'try again; if it goes on, check the module with "touchstone doctor"', 'later', 1, -32160),
  'token.timeout': row('the token did not answer in time', 'try again; insert the token anew if it goes on', 'later', 7, -32161),
  'token.bad-signature': row('the token returned a signature that does not verify', 'do not use this token until you know why', 'never', 1, -32162),
  'token.other': row('the driver reported an error', 'see the driver code in the details', 'never', 1, -32163),
  'token.not-initialised': row('the token is not initialised', 'initialise it first; for the embedded token run "touchstone init --softhsm"', 'after-user-action', 4, -32164),
  'token.touch-timeout': row('the key was not touched in time', 'run the command again and touch the key when it blinks', 'later', 7, -32165),
  'token.slot-mode': row('the OTP slot is not set up as derivation needs it', 'program it with "touchstone token setup --otp"', 'after-user-action', 4, -32166),
  'token.pin-alert': row('tries of the PIN were used up that nobody entered here', 'find out which program did it, then unlock again; "touchstone token show" tells what was seen', 'after-user-action', 4, -32168),
  'token.not-permitted': row('this user may not open the device', 'allow it with a udev rule: see docs/tokens/yubikey-otp.md', 'after-user-action', 4, -32167),
  'token.management-key': row('the management key of the card is not known', 'have it stored on the card: ykman piv access change-management-key --generate --protect', 'after-user-action', 4, -32173),
  'token.without-touch': row('the derivation key works without a touch', 'choose a touch policy, or read the consequence and type it: --without-touch "any program can derive"', 'after-user-action', 2, -32174),
  'token.attestation': row('the attestation of the card does not hold', 'do not use this card until you know why', 'never', 4, -32175),

  // prompt: a program that asks a person for a PIN
  'prompt.cancelled': row('the prompt for the PIN was cancelled', 'run the command again when you are ready', 'after-user-action', 3, -32250),
  'prompt.timeout': row('nobody entered the PIN in time', 'run the command again', 'later', 7, -32251),
  'prompt.failed': row('the program that asks for the PIN does not work', 'check pin in touchstone.toml, and run that program by hand', 'after-user-action', 1, -32252),

  // keychain: a PIN that is stored on the desktop
  'keychain.unavailable': row('the keychain cannot be used', 'check that a keyring service runs in this session; "touchstone unlock --enter-pin" takes the PIN from you', 'after-user-action', 4, -32270),
  'keychain.timeout': row('the keychain did not answer in time', 'unlock the keychain and try again; "touchstone unlock --enter-pin" takes the PIN from you', 'later', 7, -32271),
  'keychain.empty': row('no PIN is stored for this token', 'store it with "touchstone pin store"; "touchstone unlock --enter-pin" takes it from you', 'after-user-action', 4, -32272),
  'keychain.locked': row('the keychain is locked', 'unlock the keychain and try again; "touchstone unlock --enter-pin" takes the PIN from you', 'after-user-action', 4, -32274),
  'keychain.not-sent': row('the PIN in the keychain is not sent', 'store the right one with "touchstone pin store"; "touchstone unlock --enter-pin" takes it from you', 'after-user-action', 4, -32273),

  // audit
  'audit.write': row('the audit log cannot be written, so nothing is signed', 'free some space; signing goes on by itself', 'later', 1, -32170),
  'audit.shorter': row('the audit log is shorter than it was', 'find out who cut it; "touchstone audit verify" shows where', 'never', 6, -32171),
  'audit.broken': row('the audit log does not verify', 'see "touchstone audit verify" for the line', 'never', 6, -32172),

  // pkcs11: the door for programs that use PKCS#11
  'pkcs11.malformed': row('the bytes are not a PKCS#11 call', 'use the client module of p11-kit, 0.23 or newer', 'never', 2, -32190),

  // integrate: other programs that are set up to use the agent
  'integrate.program': row('another program did not do what it was asked', 'run it by hand to see why', 'after-user-action', 1, -32195),

  // verification
  'verify.failed': row('the signature does not verify', 'check the file, the key and the signature', 'never', 6, -32180),
  'verify.format': row('the signature could not be read', 'check that the file is the signature', 'never', 6, -32181),

  // registry: where images and their signatures are stored
  'registry.unreachable': row('the registry could not be reached', 'check its name and the network; --plain-http is for one without TLS', 'later', 1, -32200),
  'registry.denied': row('the registry does not allow this', 'log in with "docker login", then try again', 'after-user-action', 1, -32201),
  'registry.missing': row('the registry has no such image', 'check the reference; an image is pushed before it is signed', 'after-user-action', 1, -32202),
  'registry.reply': row('the registry answered with something unexpected', 'try again; if it goes on, the registry is at fault', 'later', 1, -32203),
  'registry.busy': row('others kept changing the same tag', 'try again in a moment', 'later', 1, -32204),

  // notary: collections of a notary-server (Docker Content Trust)
  'notary.document': row('the metadata is not valid', 'ask the publisher to sign it again; "touchstone trust inspect" shows what can be read', 'never', 6, -32210),
  'notary.unreachable': row('the trust server could not be reached', 'check --server and the network; "touchstone trust status" asks it again', 'later', 1, -32211),
  'notary.denied': row('the trust server does not allow this', 'log in to the registry with "docker login", then try again', 'after-user-action', 1, -32212),
  'notary.missing': row('there is no trust data for this repository', 'begin with "touchstone trust init REPOSITORY"', 'after-user-action', 6, -32213),
  'notary.reply': row('the trust server answered with something unexpected', 'try again; if it goes on, see "touchstone trust status REPOSITORY"', 'later', 1, -32214),
  'notary.rejected': row('the trust server rejected what was published', 'the next command tries it once more, or takes it back; see "touchstone trust status REPOSITORY"', 'after-user-action', 1, -32215),
  'notary.conflict': row('others kept publishing to this repository', 'try again in a moment', 'later', 1, -32216),
  'notary.expired': row('the metadata has expired', 'its publisher renews it with "touchstone trust heal REPOSITORY"', 'after-user-action', 6, -32217),
  'notary.threshold': row('not enough of the keys that it takes have signed', 'see who signs with "touchstone trust inspect REPOSITORY"', 'after-user-action', 6, -32218),
  'notary.rollback': row('the server offers an older version than the one already seen', 'do not use it: somebody may be hiding an update', 'never', 6, -32219),
  'notary.pin': row('the root of the repository is not the pinned one', 'check with its publisher, then "touchstone trust pin REPOSITORY"', 'after-user-action', 6, -32220),
  'notary.checksum': row('a file is not the one that the metadata names', 'try again; if it goes on, the repository needs "touchstone trust heal"', 'later', 6, -32221),
  'notary.unsigned': row('nobody has signed this', 'see what is signed with "touchstone trust list REPOSITORY"', 'after-user-action', 6, -32222),
  'notary.team': row('not all required teams have signed this', 'ask the missing team to sign with "touchstone trust sign"', 'after-user-action', 6, -32223),
  'notary.policy': row('the trust policy is not valid', 'correct it; its grammar is in docs/spec/trust-policy.md', 'after-user-action', 2, -32228),
  'notary.keys': row('a key that has to sign is not within reach', 'see who may sign with "touchstone trust signer list REPOSITORY"', 'after-user-action', 1, -32224),
  'notary.role': row('the repository has no such role', 'see its roles with "touchstone trust inspect REPOSITORY"', 'after-user-action', 1, -32225),
  'notary.paths': row('the role may not hold this name', 'see which names it may hold with "touchstone trust inspect REPOSITORY"', 'after-user-action', 1, -32234),
  'notary.left-behind': row('some readers would go on taking the old image', 'let somebody do it who can sign for the role that is named', 'after-user-action', 1, -32226),
  'notary.exists': row('the repository has trust data already', 'see it with "touchstone trust inspect REPOSITORY"', 'after-user-action', 1, -32227),
  'notary.rebuild': row('targets/releases cannot be kept as it is', 'see what would become of it: touchstone trust heal REPOSITORY', 'after-user-action', 1, -32232),
  'notary.exhausted': row('the role has no higher version left', 'the role has to go; see docs/integrations/docker-content-trust.md', 'never', 1, -32233),
  'notary.overwritten': row('the publish of somebody else was overwritten', 'look at what is signed with "touchstone trust inspect REPOSITORY", and have what is missing signed again', 'after-user-action', 1, -32229),

  // tuf: metadata of The Update Framework
  'tuf.document': row('the metadata is not valid', 'ask the publisher to sign it again; docs/spec/tuf-profile.md says what is taken', 'never', 6, -32280),
  'tuf.key': row('the key cannot be used in TUF metadata', 'use an ECDSA P-256, Ed25519 or RSA key; see "touchstone key list"', 'never', 2, -32281),
  'tuf.threshold': row('not enough of the keys that it takes have signed', 'let the keyholders who are missing sign it', 'after-user-action', 6, -32282),
  'tuf.version': row('the version does not follow the one before', 'bring every root in between, oldest first', 'after-user-action', 6, -32283),
  'tuf.profile': row('some clients would read the metadata otherwise than others', 'change what the message names; docs/spec/tuf-profile.md has the rules', 'never', 1, -32285),
  'tuf.expired': row('the metadata has expired', 'its publisher has to sign a next version', 'after-user-action', 6, -32284),
  'tuf.missing': row('there is no TUF repository in this folder', 'begin with "touchstone tuf init FOLDER REPOSITORY"', 'after-user-action', 6, -32300),
  'tuf.exists': row('there is a TUF repository in this folder already', 'see it with "touchstone tuf verify FOLDER"', 'after-user-action', 1, -32301),
  'tuf.pin': row('the root of the repository is not the one that is trusted here', 'get the root from its keyholders, compare its hash with them, and name it with --root FILE', 'after-user-action', 6, -32302),
  'tuf.rollback': row('the folder is older than what was published', 'bring the newest copy of the repository', 'after-user-action', 6, -32303),
  'tuf.keys': row('a key that has to sign is not within reach', 'see who signs with "touchstone tuf verify FOLDER --json", and your keys with "touchstone key list"', 'after-user-action', 1, -32304),
  'tuf.role': row('the repository has no such role', 'see its roles with "touchstone tuf verify FOLDER"', 'never', 2, -32305),
  'tuf.target': row('this cannot be a target', 'choose another name with --name, or another file', 'never', 2, -32306),
  'tuf.waiting': row('a version of this role waits for signatures', 'sign it with "touchstone tuf sign FOLDER", or drop it with "touchstone tuf sign FOLDER ROLE --drop"', 'after-user-action', 1, -32307),
  'tuf.checksum': row('a file is not the one that the metadata names', 'put the right file there, or remove the target', 'after-user-action', 6, -32308),

  // certificates: root keys say which repository keys are theirs
  'certificate.missing': row('no certificate of the root keys names this key', 'have it certified, then: touchstone key certificate add FILE', 'after-user-action', 3, -32290),
  'certificate.invalid': row('the file is not a certificate of the root keys', 'ask for the certificate with the signatures of enough holders', 'never', 6, -32291),
  'certificate.time': row('the certificate of the key is not valid at this time', 'have the key certified anew, and check the clock: "touchstone key certificate show"', 'after-user-action', 3, -32292),
  'certificate.revoked': row('the root keys have taken back the certificate of the key', 'go on with its next epoch: "touchstone key rotate"', 'never', 3, -32293),
  'certificate.kind': row('the certificate of the key does not name this kind', 'see "touchstone key certificate show"', 'never', 3, -32294),
  'certificate.older': row('the folder of certificates holds less than this agent has used', 'put the newest folder certificates/ back; "touchstone paths" shows where it belongs', 'after-user-action', 6, -32296),
  'certificate.order': row('the certificate does not follow the one before it', 'add the certificates of a key in the order in which they were made', 'after-user-action', 6, -32295),

  // gateway: long-running programs between other tools and the agent
  'gateway.tls': row('the TLS files of the gateway cannot be used', 'give PEM files with --tls-cert, --tls-key and --client-ca', 'after-user-action', 2, -32230),
  'gateway.listen': row('the gateway could not listen', 'choose another address with --listen, or stop the program that has it', 'after-user-action', 1, -32231),

  // ceremony: root keys of several people, in a room without a network
  'ceremony.file': row('a file of the ceremony is not valid', 'have it made again; "touchstone ceremony open" names what is wrong', 'never', 6, -32260),
  'ceremony.folder': row('this is no folder of a ceremony', 'make one with "touchstone ceremony new"', 'never', 2, -32261),
  'ceremony.document': row('a document of the ceremony is not valid', 'see which with "touchstone ceremony open"', 'never', 6, -32263),
  'ceremony.action': row('the action does not fit what it begins with', 'prepare it again with "touchstone ceremony new"', 'never', 2, -32264),
  'ceremony.check': row('a check of the ceremony failed', 'nothing was signed; see all of them with "touchstone ceremony open"', 'never', 6, -32265),
  'ceremony.confirmation': row('what was typed is not the version number and the first two words of the request', 'read them once more with "touchstone ceremony review"', 'after-user-action', 3, -32259),
  'ceremony.order': row('this comes later in a ceremony', 'open, review, sign, close: in this order', 'after-user-action', 2, -32266),
  'ceremony.signature': row('the signature cannot be taken', 'have it made again with "touchstone ceremony sign"', 'never', 6, -32267),
  'ceremony.threshold': row('signatures are missing', 'see the board with "touchstone ceremony add", or close with --leave-open', 'after-user-action', 6, -32268),
  'ceremony.token': row('this is not the token of the holder', 'insert the token that is named, by its serial number; no PIN was sent', 'after-user-action', 4, -32269),
  'ceremony.network': row('a ceremony opens no connection', 'do what needs a network before or after it', 'never', 3, -32257),
  'ceremony.import': row('what was signed does not fit what is published', 'compare both; nothing was changed', 'never', 1, -32258),
  'ceremony.transcript': row('the transcript does not verify', 'see "touchstone ceremony verify" for the line', 'never', 6, -32262),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;
