// Somebody at a browser. Whatever goes wrong behind his back fails the test that he is in.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { AXE, CHROMIUM, chromium } from './library.mjs';
import { PATIENCE, until } from './wait.mjs';

// Who looks: with and without JavaScript, in both languages, at a desk and on a phone; each two of
// these meet.
export const READERS = [
  { js: true, lang: 'zh', width: 1280 },
  { js: true, lang: 'en', width: 360 },
  { js: false, lang: 'en', width: 1280 },
  { js: false, lang: 'zh', width: 360 },
];

export const named = ({ js, lang, width }) => `${js ? 'JS' : 'no JS'}, ${lang}, ${width} px`;

// Names of the outside that the browser believes in; there are no others.
const NAMES = ['evil.test', 'friend.test'];
const RULES = [...NAMES.map((name) => `MAP ${name} 127.0.0.1`), 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1', 'EXCLUDE localhost'];

let browser;
const opened = () => {
  browser ??= chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', `--host-resolver-rules=${RULES.join(', ')}`],
    timeout: PATIENCE,
  });
  return browser;
};
after(async () => { if (browser) await (await browser).close(); });

// What a refusal that a test wants looks like in the console.
const REFUSED = /^Failed to load resource: the server responded with a status of (\d+)/;

export class Visitor {
  #faults = [];

  // Opens a browser's window for a test. `allow` are statuses that the test provokes, `hosts` what
  // else than the server may be asked.
  static async open(server, { js = true, lang = 'en', width = 1280, dark = false, allow = [], hosts = [], url = server.url, locale } = {}) {
    const visitor = new Visitor();
    visitor.server = server;
    visitor.lang = lang;
    visitor.context = await (await opened()).newContext({
      javaScriptEnabled: js,
      locale: locale ?? { zh: 'zh-CN', en: 'en-US' }[lang],
      viewport: { width, height: 800 },
      colorScheme: dark ? 'dark' : 'light',
      baseURL: url,
      ignoreHTTPSErrors: true,
    });
    visitor.context.setDefaultTimeout(PATIENCE);
    visitor.allow = new Set(allow);
    visitor.hosts = new Set([new URL(url).host, ...hosts]);
    visitor.#watch();
    visitor.page = await visitor.context.newPage();
    return visitor;
  }

  #watch() {
    const bad = (what) => this.#faults.push(what);
    this.context.on('console', (message) => {
      const status = message.text().match(REFUSED)?.[1];
      const isMeant = status && this.allow.has(Number(status));
      if (['error', 'warning'].includes(message.type()) && !isMeant) bad(`console: ${message.text()}`);
    });
    this.context.on('weberror', (error) => bad(`script: ${error.error().stack}`));
    this.context.on('dialog', (dialog) => { bad(`dialog: ${dialog.message()}`); dialog.dismiss(); });
    this.context.on('request', (request) => {
      const { host, protocol } = new URL(request.url());
      if (['http:', 'https:', 'ws:', 'wss:'].includes(protocol) && !this.hosts.has(host)) bad(`asked another host: ${request.url()}`);
    });
    this.context.on('response', (reply) => {
      if (reply.status() >= 400 && !this.allow.has(reply.status())) bad(`${reply.status()}: ${reply.request().method()} ${reply.url()}`);
    });
  }

  // Forgets faults that a test provoked, and returns them.
  faults() {
    return this.#faults.splice(0);
  }

  // Closes the window, and says what went wrong in it.
  async close() {
    await this.context.close();
    assert.deepEqual(this.#faults, []);
  }

  // Signs in as fast as it goes.
  async signedIn(token) {
    const { name, value } = await this.server.session(token);
    await this.context.addCookies([{ name, value, url: this.server.url, httpOnly: true, sameSite: 'Strict' }]);
    return this;
  }

  // Signs in as people do, where the form is.
  async signIn(token = this.server.token) {
    await this.page.fill('input[name=token]', token);
    await this.page.click('form[action="/sign-in"] button');
  }

  // Opens a path, and returns its status. A page that asks to be loaded again, for it is still
  // being counted, is.
  async go(path) {
    for (;;) {
      const reply = await this.page.goto(path);
      if (!reply.headers().refresh) return reply.status();
    }
  }

  // Path and query of what is shown.
  at() {
    const { pathname, search } = new URL(this.page.url());
    return pathname + search;
  }

  // Waits until a path is shown.
  arrives(path) {
    return until(`${path}, from ${this.page.url()}`, () => this.at() === path);
  }

  text(selector = 'main') {
    return this.page.locator(selector).first().innerText();
  }

  count(selector) {
    return this.page.locator(selector).count();
  }

  // Clicks, and waits until another document is there; its status counts as any other.
  async leave(selector) {
    await Promise.all([this.page.waitForEvent('framenavigated'), this.page.click(selector)]);
    await this.page.waitForLoadState();
  }

  // What axe-core finds that is serious. It is let in by the tools' own door: the page's policy
  // holds.
  async axe(rules) {
    await this.page.evaluate(AXE);
    return this.page.evaluate(async (only) => {
      const options = { resultTypes: ['violations'], ...(only && { runOnly: only }) };
      const { violations } = await globalThis.axe.run(document, options);
      const bad = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
      return bad.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.any.map((check) => check.message)}`).join('\n')}`);
    }, rules);
  }

  // By how much the page is wider than the window.
  sideways() {
    return this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  }
}

// A test with a visitor, who is gone behind it.
export const visiting = async (server, options, act) => {
  const visitor = await Visitor.open(server, options);
  try {
    await act(visitor, visitor.page);
  } catch (error) {
    error.message += `\n  at ${visitor.page.url()}\n  ${visitor.faults().join('\n  ')}`;
    await visitor.context.close();
    throw error;
  }
  await visitor.close();
};
