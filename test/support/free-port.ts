/** A port of the loopback interface that nobody used a moment ago: for programs that cannot say which one they took. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** Somebody else may take it before it is used; `startOnFreePort` tries again then. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const TRIES = 3;

/** Calls `start` with a free port, and again with another one when somebody was quicker. */
export async function startOnFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await start(await freePort());
    } catch (failure) {
      if (tries >= TRIES || !String(failure).includes('address already in use')) throw failure;
    }
  }
}
