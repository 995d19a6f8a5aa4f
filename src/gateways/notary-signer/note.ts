/** One line of the log. */
export type Note = (what: string, facts: Readonly<Record<string, string | number | boolean>>) => void;
