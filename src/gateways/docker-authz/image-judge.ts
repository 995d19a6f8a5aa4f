/** Who says whether an image may run. */

export interface ImageQuestion {
  /** With its registry. */
  readonly repository: string;
  /** Asked for only where there is no digest: the engine itself ignores a tag in front of one. */
  readonly tag?: string | undefined;
  /** `sha256:` and hex. */
  readonly digest?: string | undefined;
}

export interface ImageVerdict {
  readonly allowed: boolean;
  /** Of the image that was judged, where there is one. */
  readonly digest?: string | undefined;
  /** Half a sentence. */
  readonly reason: string;
}

export interface ImageJudge {
  /** Answers in bounded time and does not throw: whatever goes wrong is a refusal with a reason. */
  judge(question: ImageQuestion): Promise<ImageVerdict>;
}

export interface LocalContainer {
  readonly id: string;
  /** Id of its image, `sha256:` and hex. */
  readonly image: string;
  /** Its HostConfig as the engine shows it. */
  readonly host: unknown;
}

/** A container by name or id; undefined when there is none. Throws an AgentError when the engine cannot be asked. */
export type LocalContainers = (reference: string) => Promise<LocalContainer | undefined>;

/** Digests under which the engine has an image; undefined when it does not have it. Throws an AgentError when it cannot be asked. */
export type LocalDigests = (reference: string) => Promise<readonly string[] | undefined>;
