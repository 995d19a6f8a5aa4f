#!/usr/bin/env node
/** The plugin that cosign starts for keys named `touchstone://…`. */
import { runSigstoreKms } from '../gateways/sigstore-kms/main.js';

process.exit(await runSigstoreKms(process.argv.slice(2)));
