/**
 * One command and its answer over feature reports: waits until the device takes each piece, for a finger where the slot asks
 * for one, and gives up in bounded time. Whatever goes wrong, the device is told to drop it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { AgentError } from '../../errors/agent-error.js';
import { AnswerPieces } from './answer.js';
import type { FeaturePort } from './feature-port.js';
import { frameReports, type Command } from './frame.js';
import { resetReport, stateOf, statusOf, type DeviceStatus } from './report.js';

/** Some writes of a configuration take 0.92 s. Milliseconds. */
const TAKE_MS = 1_150;
const POLL_MS = 10;
const TOUCH_POLL_MS = 100;
/** Without a touch an answer is there at once. */
const ANSWER_MS = 1_000;
/** The device itself gives up after 15 s, at most 31. */
const TOUCH_MS = 35_000;

export interface ExchangeOptions {
  /** Called once, when the device begins to wait for a finger. @param secondsLeft as the device counts them */
  readonly onTouch?: ((secondsLeft: number) => void) | undefined;
  /** Ends the waiting; the device stops blinking. */
  readonly signal?: AbortSignal | undefined;
}

export type Outcome =
  /** `touched` says whether a finger was asked for; `data` is a secret of the caller's. */
  | { readonly outcome: 'answer'; readonly data: Buffer }
  /** The device went back to rest without an answer: done for a write, a refusal for everything else. */
  | { readonly outcome: 'rest'; readonly status: DeviceStatus };

/**
 * Sends one command.
 * @param answerBytes length of the answer without its CRC
 * @throws AgentError `token.touch-timeout`, `token.busy`, `token.timeout`, `token.removed`, `limits.cancelled`
 */
export async function exchange(
  port: FeaturePort,
  command: Command,
  answerBytes: number,
  options: ExchangeOptions = {},
): Promise<Outcome> {
  try {
    await settle(port);
    await send(port, command);
    return await receive(port, answerBytes, options);
  } catch (error) {
    // The device may be gone: then it has dropped everything anyway.
    await port.write(resetReport()).catch(() => undefined);
    throw error;
  }
}

/** Ends what somebody who was killed left behind: half an answer, or the wait for a finger. */
async function settle(port: FeaturePort): Promise<void> {
  const { state } = stateOf(await port.read());
  if (state === 'answer' || state === 'touch') await port.write(resetReport());
}

async function send(port: FeaturePort, command: Command): Promise<void> {
  const reports = frameReports(command);
  try {
    const deadline = performance.now() + TAKE_MS;
    for (const report of reports) {
      await taken(port, deadline);
      await port.write(report);
    }
  } finally {
    for (const report of reports) report.fill(0);
  }
}

/** Waits until the device has taken the last piece. */
async function taken(port: FeaturePort, deadline: number): Promise<void> {
  for (;;) {
    if (stateOf(await port.read()).state !== 'busy') return;
    if (performance.now() >= deadline) throw silent('it does not take the command');
    await delay(POLL_MS);
  }
}

async function receive(port: FeaturePort, answerBytes: number, options: ExchangeOptions): Promise<Outcome> {
  const pieces = new AnswerPieces();
  try {
    return await collect(port, answerBytes, options, pieces);
  } finally {
    pieces.wipe();
  }
}

async function collect(
  port: FeaturePort,
  answerBytes: number,
  { onTouch, signal }: ExchangeOptions,
  pieces: AnswerPieces,
): Promise<Outcome> {
  let touched = false;
  let deadline = performance.now() + Math.max(ANSWER_MS, TAKE_MS);
  for (;;) {
    if (signal?.aborted === true) throw new AgentError('limits.cancelled');
    const report = await port.read();
    const now = stateOf(report);
    if (now.state === 'answer') {
      if (!pieces.take(report, now.piece)) continue;
      await port.write(resetReport());
      return { outcome: 'answer', data: pieces.data(answerBytes) };
    }
    if (now.state === 'idle') {
      if (touched) throw new AgentError('token.touch-timeout');
      return { outcome: 'rest', status: statusOf(report) };
    }
    if (now.state === 'touch' && !touched) {
      touched = true;
      deadline = performance.now() + TOUCH_MS;
      onTouch?.(now.secondsLeft);
    }
    if (performance.now() >= deadline) throw silent('it gives no answer');
    await delay(
      now.state === 'touch' ? TOUCH_POLL_MS : POLL_MS,
      undefined,
      signal === undefined ? {} : { signal },
    ).catch(() => undefined);
  }
}

function silent(what: string): AgentError {
  return new AgentError('token.timeout', { message: `talking to the OTP slot: ${what}` });
}
