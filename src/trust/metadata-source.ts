/** Where metadata comes from: a trust server, or a saved copy of what one said. Nothing of it is believed before it is verified. */

/** No collection of tags comes near; what a snapshot lists is bounded by its length besides. Bytes. */
export const MAX_METADATA_BYTES = 32 * 1024 * 1024;

/** Which file of a role: the current one when neither is given. */
export interface FileChoice {
  /** Lower-case hex. */
  readonly sha256?: string | undefined;
  readonly version?: number | undefined;
  /** No file may have more, bytes. */
  readonly maxBytes?: number | undefined;
}

export interface MetadataSource {
  /** The collection (GUN), for example `registry.example/acme/app`. */
  readonly repository: string;
  /** A file, or undefined when there is none. */
  fetch(role: string, choice?: FileChoice): Promise<Buffer | undefined>;
}
