/**
 * One PKCS#11 driver in this process. Only synchronous calls are made: the binding's callback form signs memory that was
 * freed meanwhile, and a driver without CKF_OS_LOCKING_OK corrupts itself when it has threads of its own.
 */
import { createRequire } from 'node:module';
import { isAbsolute } from 'node:path';
import type { PKCS11 } from 'pkcs11js';
import { AgentError } from '../../errors/agent-error.js';
import { CKF_OS_LOCKING_OK, CKR_CRYPTOKI_ALREADY_INITIALIZED } from './cryptoki.js';
import { driverCall, driverValueOf, returnValueOf } from './rv.js';

export class Pkcs11Module implements Disposable {
  readonly path: string;
  readonly calls: PKCS11;

  private constructor(path: string, calls: PKCS11) {
    this.path = path;
    this.calls = calls;
  }

  /**
   * Loads and initialises the driver at an absolute path.
   * @throws AgentError `usage.path-relative`, `native.driver-binding`, `token.module-missing`, or what C_Initialize said
   */
  static load(path: string): Pkcs11Module {
    if (!isAbsolute(path)) {
      throw new AgentError('usage.path-relative', {
        message: `module "${path}": an absolute path is needed`,
      });
    }
    const calls = new (loadBinding())();
    try {
      calls.load(path);
    } catch (cause) {
      if (returnValueOf(cause) !== undefined) driverCall('C_GetFunctionList', () => rethrow(cause));
      throw new AgentError('token.module-missing', {
        message: `module "${path}": it could not be loaded`,
        details: { module: path },
        cause,
      });
    }
    const module = new Pkcs11Module(path, calls);
    module.#initialise();
    return module;
  }

  /** Makes the driver look at its tokens anew: some list them only while they initialise. Ends every session. */
  restart(): void {
    driverCall('C_Finalize', () => {
      this.calls.C_Finalize();
    });
    this.#initialise();
  }

  /** Unloading alone would leave what the driver has open, such as a transaction with a card. */
  [Symbol.dispose](): void {
    try {
      this.calls.C_Finalize();
    } catch {
      // A driver that cannot even end is ended with its process.
    }
    this.calls.close();
  }

  #initialise(): void {
    try {
      driverCall('C_Initialize', () => {
        this.calls.C_Initialize({ flags: CKF_OS_LOCKING_OK });
      });
    } catch (error) {
      if (driverValueOf(error) !== CKR_CRYPTOKI_ALREADY_INITIALIZED) throw error;
    }
  }
}

function rethrow(cause: unknown): never {
  throw cause;
}

function loadBinding(): typeof PKCS11 {
  const require = createRequire(import.meta.url);
  try {
    return (require('pkcs11js') as { readonly PKCS11: typeof PKCS11 }).PKCS11;
  } catch (cause) {
    throw new AgentError('native.driver-binding', { cause });
  }
}
