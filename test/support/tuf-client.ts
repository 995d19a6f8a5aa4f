/** A client of somebody else (tuf-js) over a web server on the loopback that knows nothing but files. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { Updater } from 'tuf-js';

/** Serves a folder. */
export class FileServer implements AsyncDisposable {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly log: string[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  }

  static async start(folder: string): Promise<FileServer> {
    const late: { server?: FileServer } = {};
    const server = createServer((request, response) => {
      const name = decodeURIComponent(request.url ?? '');
      late.server?.log.push(name);
      try {
        const bytes = readFileSync(path.join(folder, name));
        response.end(bytes);
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    late.server = new FileServer(server);
    return late.server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export class TufClient implements Disposable {
  readonly #folder: string;
  readonly #url: string;

  /** @param root what the client was handed, once @param folder its own, made here */
  constructor(url: string, root: Buffer, folder: string) {
    this.#url = url;
    this.#folder = folder;
    for (const name of ['metadata', 'targets']) mkdirSync(path.join(folder, name), { recursive: true });
    writeFileSync(path.join(folder, 'metadata', 'root.json'), root);
  }

  /** One update, and the bytes of a target; undefined when nobody has signed it. */
  async download(target: string): Promise<string | undefined> {
    const updater = this.#updater();
    await updater.refresh();
    const info = await updater.getTargetInfo(target);
    if (info === undefined) return undefined;
    const file = await updater.downloadTarget(info);
    return readFileSync(file, 'utf8');
  }

  async refresh(): Promise<void> {
    await this.#updater().refresh();
  }

  /** Version of the root that the client believes now. */
  rootVersion(): number {
    const text = readFileSync(path.join(this.#folder, 'metadata', 'root.json'), 'utf8');
    return (JSON.parse(text) as { readonly signed: { readonly version: number } }).signed.version;
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #updater(): Updater {
    return new Updater({
      metadataDir: path.join(this.#folder, 'metadata'),
      metadataBaseUrl: `${this.#url}/metadata`,
      targetDir: path.join(this.#folder, 'targets'),
      targetBaseUrl: `${this.#url}/targets`,
      forceCache: false,
    });
  }
}
