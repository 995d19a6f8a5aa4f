/** The way to one device, whatever carries it: feature reports of eight bytes, one call after the other. */
export interface FeaturePort {
  /** The device's report. Each read of an answer moves it on by one piece. @throws AgentError `token.removed` */
  read(): Promise<Buffer>;
  /** @throws AgentError `token.removed` */
  write(report: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Devices that are there now. */
export interface PortFinder {
  /** Where OTP interfaces are; opens none of them. */
  places(): Promise<readonly string[]>;
  /** @throws AgentError `token.not-permitted`, `token.removed` */
  open(place: string): Promise<FeaturePort>;
}
