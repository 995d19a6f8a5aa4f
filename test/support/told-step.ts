/** The steps of a demonstration, numbered. */

let stepNumber = 0;

/** One line per step, printed when the step is done: what happened, and what can be seen of it. */
export async function step<T>(
  what: string,
  act: () => Promise<T>,
  show: (result: T) => string = () => '',
): Promise<T> {
  const begin = performance.now();
  const result = await act();
  stepNumber += 1;
  const shown = show(result);
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  const line = `${String(stepNumber).padStart(2)}. ${what}${shown === '' ? '' : `: ${shown}`}`;
  process.stdout.write(`${line}  (${seconds} s)\n`);
  return result;
}
