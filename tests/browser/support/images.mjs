// Firmware for tests, made once a process.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folder, run } from './server.mjs';

const script = join(dirname(fileURLToPath(import.meta.url)), 'images.py');
let made;

const all = async () => {
  const out = folder();
  const { code, err } = await run('python3', [script, out]);
  if (code !== 0) throw new Error(`images.py: ${err}`);
  return out;
};

// Path of a file: `app-1.7.0.bin`, `app-1.7.1.bin`, `app-1.8.0.bin`, `app-1.9.0.bin`,
// `app-large.bin`, `merged-binary.bin`, `v2.1.0_bread-compact-wifi.zip`.
export const image = async (name) => join(await (made ??= all()), name);

export const bytes = async (name) => readFileSync(await image(name));
