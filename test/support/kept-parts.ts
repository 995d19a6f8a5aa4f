/** What a played scene has running: all of it ends, newest first, whatever happens. */

type Part = Disposable | AsyncDisposable;

export class KeptParts implements AsyncDisposable {
  readonly #parts: Part[] = [];

  /** @returns what it was given, to be ended with the rest */
  add<T extends Part>(part: T): T {
    this.#parts.push(part);
    return part;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) {
      if (Symbol.asyncDispose in part) await part[Symbol.asyncDispose]();
      else part[Symbol.dispose]();
    }
  }
}
