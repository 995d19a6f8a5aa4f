/** Entry of the token host, started by the keeper with the pipe on fd 3. */
import { hardenThisProcess } from '../platform/hardening.js';
import { runTokenHost } from '../tokenhost/host.js';

const PIPE_FD = 3;

hardenThisProcess({ parent: Number(process.env['TOUCHSTONE_PARENT']) });
runTokenHost(PIPE_FD, () => {
  process.exit(0);
});
