#!/usr/bin/env node
/** The `touchstone` program. */
import { fileURLToPath } from 'node:url';
import { runCli } from '../cli/main.js';

process.exit(await runCli(process.argv.slice(2), fileURLToPath(import.meta.url)));
