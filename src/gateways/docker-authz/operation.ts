/**
 * What a request asks of the engine, from its method and path alone. The table lists what the API of the engine has; what is not in it is
 * `unknown`, so that an operation of a later engine is refused until somebody has thought about it.
 */
import type { Entrance } from './entrance.js';

export type Operation =
  | { readonly kind: 'harmless' }
  | { readonly kind: 'create-container' }
  /** Starts one that exists, or gives it another name. */
  | { readonly kind: 'use-container' }
  | { readonly kind: 'create-service' }
  | { readonly kind: 'update-service' }
  /** Pulls or imports: its query says which. */
  | { readonly kind: 'create-image' }
  | { readonly kind: 'entrance'; readonly entrance: Entrance }
  | { readonly kind: 'unknown' };

const HARMLESS: Operation = { kind: 'harmless' };
const UNKNOWN: Operation = { kind: 'unknown' };

function entrance(name: Entrance): Operation {
  return { kind: 'entrance', entrance: name };
}

/** Method, path with `*` for one segment and `**` for several, operation. The first that fits counts. */
// prettier-ignore
const TABLE: readonly (readonly [string, string, Operation])[] = [
  ['POST', '/containers/create', { kind: 'create-container' }],
  ...['start', 'restart', 'rename'].map((word) => ['POST', `/containers/*/${word}`, { kind: 'use-container' }] as const),
  ['POST', '/services/create', { kind: 'create-service' }],
  ['POST', '/services/*/update', { kind: 'update-service' }],
  ['POST', '/images/create', { kind: 'create-image' }],

  ['POST', '/build', entrance('build')],
  ['POST', '/session', entrance('build')],
  ['POST', '/grpc', entrance('build')],
  ['POST', '/commit', entrance('commit')],
  ['POST', '/images/load', entrance('load')],
  ['POST', '/plugins/**/disable', HARMLESS],
  ['POST', '/plugins/**', entrance('plugins')],
  ['POST', '/swarm/init', entrance('swarm')],
  ['POST', '/swarm/join', entrance('swarm')],
  ...['configs', 'secrets'].flatMap((noun) => [
    ['POST', `/${noun}/create`, entrance('configs')] as const,
    ['POST', `/${noun}/*/update`, entrance('configs')] as const,
  ]),

  ['POST', '/auth', HARMLESS],
  ['POST', '/build/cancel', HARMLESS],
  ['POST', '/build/prune', HARMLESS],
  ['POST', '/containers/prune', HARMLESS],
  ...['attach', 'copy', 'exec', 'kill', 'pause', 'resize', 'stop', 'unpause', 'update', 'wait'].map(
    (word) => ['POST', `/containers/*/${word}`, HARMLESS] as const,
  ),
  ['POST', '/containers/*/checkpoints', HARMLESS],
  ['PUT', '/containers/*/archive', HARMLESS],
  ['POST', '/exec/*/start', HARMLESS],
  ['POST', '/exec/*/resize', HARMLESS],
  ['POST', '/images/prune', HARMLESS],
  ['POST', '/images/**/push', HARMLESS],
  ['POST', '/images/**/tag', HARMLESS],
  ['POST', '/networks/create', HARMLESS],
  ['POST', '/networks/prune', HARMLESS],
  ['POST', '/networks/*/connect', HARMLESS],
  ['POST', '/networks/*/disconnect', HARMLESS],
  ['POST', '/nodes/*/update', HARMLESS],
  ['POST', '/swarm/leave', HARMLESS],
  ['POST', '/swarm/unlock', HARMLESS],
  ['POST', '/swarm/update', HARMLESS],
  ['POST', '/volumes/create', HARMLESS],
  ['POST', '/volumes/prune', HARMLESS],
  ['PUT', '/volumes/*', HARMLESS],

  ...['configs', 'containers', 'networks', 'nodes', 'secrets', 'services', 'volumes'].map(
    (noun) => ['DELETE', `/${noun}/*`, HARMLESS] as const,
  ),
  ['DELETE', '/containers/*/checkpoints/*', HARMLESS],
  ['DELETE', '/images/**', HARMLESS],
  ['DELETE', '/plugins/**', HARMLESS],
];

const ROWS = TABLE.map(([method, pattern, operation]) => ({
  method,
  segments: pattern.split('/').slice(1),
  operation,
}));

/** What `method` on the path `segments` (without the version) asks for. */
export function operationOf(method: string, segments: readonly string[]): Operation {
  const row = ROWS.find((one) => one.method === method && fits(one.segments, segments));
  return row?.operation ?? UNKNOWN;
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  const many = pattern.indexOf('**');
  if (many === -1)
    return pattern.length === segments.length && pattern.every((one, at) => fitsOne(one, segments[at]));
  const after = pattern.slice(many + 1);
  if (segments.length < pattern.length) return false;
  const last = segments.slice(segments.length - after.length);
  return (
    pattern.slice(0, many).every((one, at) => fitsOne(one, segments[at])) &&
    after.every((one, at) => fitsOne(one, last[at]))
  );
}

function fitsOne(pattern: string, segment: string | undefined): boolean {
  return segment !== undefined && (pattern === '*' || pattern === segment);
}
