/** Options of one command line with their types checked where they are read. Errors name the option as a person types it. */
import { AgentError } from '../errors/agent-error.js';
import { parseDuration } from './duration.js';

const DAY_SECONDS = 86_400;
const MAX_AHEAD_DAYS = 10_950;

export class OptionValues {
  readonly #values: Readonly<Record<string, unknown>>;

  /** `values` as commander collects them: camel-case names. */
  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  /** True when the option was given. */
  flag(name: string): boolean {
    return this.#get(name) === true;
  }

  /** True when the `--no-` form was given. */
  isOff(name: string): boolean {
    return this.#get(name) === false;
  }

  text(name: string): string | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string' || value === '') throw invalid(name, 'a value is needed');
    return value;
  }

  /** @throws AgentError usage.invalid when the option was left out */
  requiredText(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw invalid(name, 'this option is needed');
    return value;
  }

  /** Values in the order given; empty when the option was left out. */
  list(name: string): readonly string[] {
    const value = this.#get(name);
    if (value === undefined) return [];
    if (Array.isArray(value) && value.every((one) => typeof one === 'string' && one !== ''))
      return value as string[];
    throw invalid(name, 'a value is needed');
  }

  integer(name: string, range: { readonly min: number; readonly max: number }): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= range.min && number <= range.max) return number;
    throw invalid(name, `a whole number from ${range.min} to ${range.max} is needed`);
  }

  /** Seconds, from `90`, `90s`, `30m`, `8h` or `7d`. */
  seconds(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const seconds = parseDuration(value);
    if (seconds !== undefined) return seconds;
    throw invalid(name, 'a time such as 90s, 30m, 8h or 7d is needed, 365d at most');
  }

  /** How far ahead to look, in seconds. A number alone is days: dates of metadata are thought of in days. */
  ahead(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const days = /^(\d{1,5})d?$/.exec(value)?.[1];
    const seconds = days === undefined ? parseDuration(value) : Number(days) * DAY_SECONDS;
    if (seconds !== undefined && seconds <= MAX_AHEAD_DAYS * DAY_SECONDS) return seconds;
    throw invalid(name, `days, or a time such as 30m, 8h or 7d, are needed, ${MAX_AHEAD_DAYS} days at most`);
  }

  /** One of a closed set of words. */
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const chosen = choices.find((choice) => choice === value);
    if (chosen !== undefined) return chosen;
    throw invalid(name, `one of ${choices.join(', ')} is needed`);
  }

  #get(name: string): unknown {
    return this.#values[name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())];
  }
}

function invalid(name: string, what: string): AgentError {
  return new AgentError('usage.invalid', { message: `option --${name}: ${what}`, details: { field: name } });
}
