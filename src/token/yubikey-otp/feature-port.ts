/** The way to one device, whatever carries it: feature reports of eight bytes, one call after the other. */
export interface FeaturePort {
  /** The device's report. Each read of an answer moves it on by one piece. @throws AgentError `token.removed`, `token.device` */
  read(): Promise<Buffer>;
  /** @throws AgentError `token.removed`, `token.device` */
  write(report: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Where an OTP interface is plugged in. */
export interface Place {
  readonly path: string;
  /** Another one when a device is plugged in anew, be it at the same path. */
  readonly instance: string;
}

/** Devices that are there now. */
export interface PortFinder {
  /** Opens none of them. */
  places(): Promise<readonly Place[]>;
  /** @throws AgentError `token.not-permitted`, `token.removed` */
  open(path: string): Promise<FeaturePort>;
}
