/** Events on their way to the connections that subscribed. */
import type { AgentEvent } from '../protocol/events.js';

export type EventListener = (event: AgentEvent) => void;

export class EventBus {
  readonly #listeners = new Set<EventListener>();

  /** @returns ends the subscription */
  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  publish(event: AgentEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
