// What tests/browser/run fetched and found. It lies beside what is built, not in the checkout.

import { createRequire } from 'node:module';

const need = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: call tests/browser/run`);
  return value;
};

const require = createRequire(`${need('BROWSER_LIBRARIES')}/package.json`);

export const { chromium } = require('playwright-core');
export const AXE = require('axe-core').source;
export const BINARY = need('BROWSER_BINARY');
export const CHROMIUM = need('BROWSER_CHROMIUM');
