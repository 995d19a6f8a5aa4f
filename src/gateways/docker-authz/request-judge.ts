/** Whether a request to the engine may go on: nothing starts but verified digests, and nothing comes in by a way that is not open. */
import { asAgentError } from '../../errors/agent-error.js';
import { parseEngineReference, type EngineReference } from './engine-reference.js';
import { existingImages, type EngineState } from './existing-container.js';
import { ENTRANCES, type Entrance } from './entrance.js';
import type { ImageJudge, LocalDigests } from './image-judge.js';
import { operationOf } from './operation.js';
import type { EngineRequest } from './request.js';
import { readContainerBody, readServiceBody, UnjudgedBody, type StartBody } from './start-body.js';
import { onlyValue, parseTarget, type Target } from './target.js';

export interface RequestVerdict {
  readonly allowed: boolean;
  /** For the user when refused, for the log when something was judged; empty for what is harmless. */
  readonly reason: string;
}

export interface RequestJudgeOptions {
  readonly images: ImageJudge;
  readonly open: ReadonlySet<Entrance>;
  /** Without it the digest in the reference alone decides what runs. */
  readonly localDigests?: LocalDigests | undefined;
  /** What the engine has; without it no container that exists is started. */
  readonly existing?: EngineState | undefined;
}

const READING = ['GET', 'HEAD'];
const HARMLESS: RequestVerdict = { allowed: true, reason: '' };
/** The engine would take parameters from such a body, before those of the query. */
const FORM = 'application/x-www-form-urlencoded';
const MAX_SHOWN = 300;

export class RequestJudge {
  readonly #options: RequestJudgeOptions;

  constructor(options: RequestJudgeOptions) {
    this.#options = options;
  }

  /** Never throws on purpose; in bounded time when the judge of images answers in bounded time. */
  async judge(request: EngineRequest): Promise<RequestVerdict> {
    if (READING.includes(request.method)) return HARMLESS;
    const target = parseTarget(request.uri);
    if (target === undefined) return refuse('the path of the request is not written as the API has it');
    const operation = operationOf(request.method, target.segments);
    if (operation.kind !== 'harmless' && request.contentType.includes(FORM)) {
      return refuse('the request hides parameters in its body');
    }
    switch (operation.kind) {
      case 'harmless':
        return HARMLESS;
      case 'unknown':
        return refuse(`${request.method} ${shown(request.uri)} is not known here, so it is refused`);
      case 'entrance':
        return this.#enter(operation.entrance);
      case 'create-image':
        return this.#createImage(target);
      case 'use-container':
        return this.#useContainer(target);
      case 'create-container':
        return this.#start(() => readContainerBody(request.body), this.#options.localDigests);
      case 'create-service':
        return this.#start(() => readServiceBody(request.body), undefined);
      case 'update-service':
        return this.#updateService(request, target);
    }
  }

  #enter(entrance: Entrance): RequestVerdict {
    if (this.#options.open.has(entrance)) return { allowed: true, reason: `${entrance} is allowed` };
    return refuse(
      `${ENTRANCES[entrance]} is not allowed on this machine; its rule is allow = ["${entrance}"]`,
    );
  }

  #createImage(target: Target): RequestVerdict {
    const image = onlyValue(target, 'fromImage');
    const source = onlyValue(target, 'fromSrc');
    if (image === undefined || source === undefined) return refuse('the request names its source twice');
    return this.#enter(image !== '' && source === '' ? 'pull' : 'import');
  }

  async #useContainer(target: Target): Promise<RequestVerdict> {
    const given = ['checkpoint', 'checkpoint-dir'].map((name) => onlyValue(target, name));
    if (!given.every((value) => value === '')) {
      const entered = this.#enter('checkpoint');
      if (!entered.allowed) return entered;
    }
    const { existing, open } = this.#options;
    if (open.has('start') || existing === undefined) return this.#enter('start');
    const found = await existingImages(target.segments[1] ?? '', existing);
    if (typeof found === 'string') return refuse(found);
    const verdicts = await Promise.all(found.digests.map((one) => this.#image(one, undefined)));
    const allowed = verdicts.find((one) => one.allowed) ?? verdicts[0];
    const mounted = await Promise.all(found.mounted.map((one) => this.#image(one, existing.digests)));
    return mounted.find((one) => !one.allowed) ?? allowed ?? refuse('there is nothing to judge');
  }

  async #updateService(request: EngineRequest, target: Target): Promise<RequestVerdict> {
    if (onlyValue(target, 'rollback') !== '') {
      const entered = this.#enter('rollback');
      if (!entered.allowed) return entered;
    }
    return this.#start(() => readServiceBody(request.body), undefined);
  }

  async #start(read: () => StartBody, localDigests: LocalDigests | undefined): Promise<RequestVerdict> {
    let body: StartBody;
    try {
      body = read();
    } catch (thrown) {
      if (!(thrown instanceof UnjudgedBody)) throw thrown;
      return refuse(`the request cannot be judged: ${thrown.message}`);
    }
    if (body.isPlugin) return this.#enter('plugins');
    const verdicts = await Promise.all(body.images.map((image) => this.#image(image, localDigests)));
    const refused = verdicts.find(({ allowed }) => !allowed);
    return refused ?? { allowed: true, reason: verdicts.map(({ reason }) => reason).join('; ') };
  }

  async #image(image: string, localDigests: LocalDigests | undefined): Promise<RequestVerdict> {
    const reference = parseEngineReference(image);
    if (reference === undefined) {
      return refuse(`${shown(image)} is not a repository with a digest; run REPOSITORY@sha256:…`);
    }
    const { repository, tag, digest } = reference;
    const { images } = this.#options;
    if (digest === undefined)
      return byTag(reference, await images.judge({ repository, tag: tag ?? 'latest' }));
    const verdict = await images.judge({ repository, digest });
    if (!verdict.allowed) return refuse(`${repository}@${digest} may not run: ${verdict.reason}`);
    // The judge vouches for what it says it judged, and for nothing else.
    if (verdict.digest !== digest)
      return refuse(`${repository}@${digest} may not run: another digest was verified`);
    const problem =
      localDigests === undefined ? undefined : await localProblem(repository, digest, localDigests);
    if (problem !== undefined) return refuse(`${repository}@${digest} may not run: ${problem}`);
    return { allowed: true, reason: `${repository}@${digest}: ${verdict.reason}` };
  }
}

/** A plugin cannot rewrite a request, so the best answer to a tag is what to write instead. */
function byTag(
  { repository, tag }: EngineReference,
  {
    allowed,
    digest,
    reason,
  }: { readonly allowed: boolean; readonly digest?: string | undefined; readonly reason: string },
): RequestVerdict {
  const named = `${repository}:${tag ?? 'latest'}`;
  return allowed && digest !== undefined
    ? refuse(`${named} is a tag, and tags move; run ${repository}@${digest}`)
    : refuse(`${named} may not run: ${reason}`);
}

/** An image that the engine does not have cannot start, and is found again under its digest once it was pulled. */
async function localProblem(
  repository: string,
  digest: string,
  localDigests: LocalDigests,
): Promise<string | undefined> {
  try {
    const held = await localDigests(`${repository}@${digest}`);
    if (held === undefined) return undefined;
    const isThere = held.some((one) => {
      const parsed = parseEngineReference(one);
      return parsed?.repository === repository && parsed.digest === digest;
    });
    return isThere ? undefined : 'the engine has another image under that name';
  } catch (thrown) {
    return asAgentError(thrown).message;
  }
}

function refuse(reason: string): RequestVerdict {
  return { allowed: false, reason };
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, MAX_SHOWN));
}
