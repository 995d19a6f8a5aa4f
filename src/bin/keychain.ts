/** Entry of the keychain process: started for one action, gone after it. */
import { hardenThisProcess } from '../platform/hardening.js';
import { serveKeychain } from '../platform/keychain/keytar-store.js';

hardenThisProcess({ parent: Number(process.env['TOUCHSTONE_PARENT']) });
await serveKeychain(process.argv.slice(2));
// A keychain that never answers its threads must not keep the PIN alive.
process.exit(0);
