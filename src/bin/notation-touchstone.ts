#!/usr/bin/env node
/** The plugin that notation starts for keys of the agent. */
import { readFileSync } from 'node:fs';
import { runNotation } from '../gateways/notation/main.js';

const manifest = new URL('../../package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string };

process.exit(await runNotation(process.argv.slice(2), version));
