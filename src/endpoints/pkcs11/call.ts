/** How a call of the RPC is answered: arguments in, answer out. */
import type { Answer, LateAnswer } from './answer.js';
import type { Application } from './application.js';
import type { RpcReader } from './rpc-reader.js';

/** Reads all its arguments, or none where they do not matter to the answer. */
export type CallHandler = (application: Application, args: RpcReader) => Answer | LateAnswer;
