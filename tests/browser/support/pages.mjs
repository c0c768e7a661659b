// Every page that there is, and what a browser can tell of any of them.

import assert from 'node:assert/strict';
import { ALONE, BROKEN, FAILED, FILE, GOOD } from './world.mjs';

// Paths that are shown in the world, with their status; which addresses a page's links may have.
const FIXED = [
  { path: '/', is: /^\/$/ },
  { path: '/devices', is: /^\/devices$/ },
  { path: '/devices?q=esp32s3&board=esp32s3' },
  { path: '/devices?q=nobody-has-this' },
  ...[GOOD, FAILED, ALONE].map((device) => ({ path: `/devices/${device}`, is: /^\/devices\/[0-9a-f:]{17}$/ })),
  { path: `/devices/${FAILED}/forget`, is: /^\/devices\/[0-9a-f:]{17}\/forget$/ },
  { path: '/firmware', is: /^\/firmware$/ },
  { path: `/firmware/files/${FILE}/delete`, is: /^\/firmware\/files\/[^/]+\/delete$/ },
  { path: `/firmware/files/${BROKEN}/delete` },
  { path: '/server', is: /^\/server$/ },
  { path: '/acts', is: /^\/acts$/ },
  { path: '/nowhere', status: 404 },
  { path: '//elsewhere.test/nowhere', status: 404 },
  { path: '/devices/02:ff:ff:ff:ff:ff', status: 404 },
  { path: '/firmware/files/nowhere_1.0.bin/delete', status: 404 },
  { path: '/firmware/drafts/nowhere', status: 404 },
];

// All of them, and the files that wait in this world.
export const pages = (server) => [...FIXED, ...server.drafts.map((path) => ({ path }))];

// What leads to no page, but to a file; to a form; to what a page is made of; and acts.
const OTHERS = [
  /^\/firmware\/files\/[^/]+$/,
  /^\/server\/diagnostics$/,
  /^\/firmware\/drafts\/[0-9a-f]+(\/publish|\/drop)?$/,
  /^\/firmware\/upload$/,
  /^\/devices\/[^/]+\/retry$/,
  /^\/sign-(in|out)$/,
  /^\/assets\/[a-z]+-[0-9a-f]{16}\.[a-z]+$/,
];

// Elements that the keyboard has to reach.
const STOPS = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';

// Puts the keyboard where it is when a page has just come.
const begin = (page) => page.evaluate(() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute('tabindex');
  scrollTo(0, 0);
});

// Goes through a page by Tab, and returns what was not reached, or not seen to be.
export const keyboard = async (page) => {
  await begin(page);
  const total = await page.evaluate((selector) => {
    const all = [...document.querySelectorAll(selector)];
    const isFirst = (one) => one.type !== 'radio' || one === (all.find((each) => each.name === one.name && each.checked) ?? all.find((each) => each.name === one.name));
    globalThis.stops = all.filter((one) => !one.disabled && isFirst(one) && one.checkVisibility({ visibilityProperty: true }));
    return globalThis.stops.length;
  }, STOPS);
  const reached = new Set();
  const faults = [];
  const order = [];
  for (let step = 0; step <= total + 5; step += 1) {
    await page.keyboard.press('Tab');
    const { at, fault, isOver } = await page.evaluate(() => {
      const one = document.activeElement;
      if (!one || one === document.body) return { isOver: true };
      const { outlineStyle, outlineWidth } = getComputedStyle(one);
      const { left, top, right, bottom, width, height } = one.getBoundingClientRect();
      const isShown = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
      const isThere = width > 0 && height > 0 && right > 0 && bottom > 0 && left < innerWidth && top < innerHeight;
      return { at: globalThis.stops.indexOf(one), fault: (!isShown || !isThere) && one.outerHTML.slice(0, 200) };
    });
    if (isOver || reached.has(at)) break;
    if (fault) faults.push(`focus is not seen: ${fault}`);
    if (at >= 0) { reached.add(at); order.push(at); }
  }
  const missed = await page.evaluate((seen) => globalThis.stops.filter((_, at) => !seen.includes(at)).map((one) => one.outerHTML.slice(0, 200)), order);
  faults.push(...missed.map((html) => `not reached: ${html}`));
  // What is read from top to bottom is reached so.
  if (order.some((at, index) => index > 0 && at < order[index - 1])) faults.push(`out of order: ${order}`);
  return faults;
};

// Follows the link over the navigation.
export const skips = async (page) => {
  await begin(page);
  await page.keyboard.press('Tab');
  const isSeen = await page.evaluate(() => {
    const one = document.activeElement;
    return one.matches('.skip') && one.getBoundingClientRect().left >= 0;
  });
  assert.ok(isSeen, 'the first stop is the link to the content');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  const lands = await page.evaluate((selector) => {
    const main = document.querySelector('main');
    const one = document.activeElement;
    const hasStop = [...main.querySelectorAll(selector)].some((each) => each.checkVisibility());
    return main.contains(one) || !hasStop;
  }, STOPS);
  assert.ok(lands, 'the next stop is within the content');
};

const HAN = /\p{Script=Han}/u;

// Says what is not in the reader's language: all but what stands in <bdi>, code, or is marked.
export const foreignWords = async (page, lang) => {
  const words = await page.evaluate(() => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { parentElement: parent, data } = walker.currentNode;
      if (data.trim() && !parent.closest('bdi, code, pre, textarea, [lang]:not(html), script')) found.push(data.trim());
    }
    for (const one of document.querySelectorAll('[aria-label], [title], [placeholder], [alt]')) {
      for (const name of ['aria-label', 'title', 'placeholder', 'alt']) {
        if (one.hasAttribute(name) && !one.closest('[lang]:not(html)')) found.push(one.getAttribute(name));
      }
    }
    return found;
  });
  if (lang === 'en') return words.filter((text) => HAN.test(text));
  // Two English words in a row are no name.
  return words.filter((text) => !HAN.test(text) && /[a-z]{2,}[ ,]+[a-z]{2,}/i.test(text));
};

// Addresses of a page's links that lead elsewhere, or to nothing that is known.
export const strayLinks = async (page, host) => {
  const links = await page.evaluate(() => [...document.querySelectorAll('a[href], link[href], form[action], [src]')].map((one) => one.href || one.action || one.src));
  const known = [...FIXED.map(({ is }) => is).filter(Boolean), ...OTHERS];
  return links.filter((link) => {
    const { host: other, pathname } = new URL(link);
    // A page leads to itself in the other language.
    const isItself = pathname === new URL(page.url()).pathname;
    return other !== host || !(isItself || known.some((pattern) => pattern.test(decodeURIComponent(pathname))));
  });
};
