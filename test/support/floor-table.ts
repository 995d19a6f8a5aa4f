/** Reads the floor table of docs/architecture.md: the document is the rule, tests only apply it. */

export interface Floor {
  readonly floor: number;
  readonly folder: string;
  /** Third-party packages that may be imported from this folder. */
  readonly packages: readonly string[];
}

const ROW = /^\|\s*(\d+)\s*\|\s*([a-z][a-z-]*)\s*\|([^|]*)\|\s*$/;

/** Rows of the table, by folder. Throws when there is none or a folder stands there twice. */
export function readFloorTable(markdown: string): ReadonlyMap<string, Floor> {
  const floors = new Map<string, Floor>();
  for (const line of markdown.split('\n')) {
    const match = ROW.exec(line);
    if (match === null) continue;
    const [, floor = '', folder = '', homes = ''] = match;
    if (floors.has(folder)) throw new Error(`floor table: ${folder} stands there twice`);
    const packages = homes
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== '');
    floors.set(folder, { floor: Number(floor), folder, packages });
  }
  if (floors.size === 0) throw new Error('floor table: no row found');
  return floors;
}
