// Signing in and out, and who is refused.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { READERS, named, visiting } from './support/visitor.mjs';
import { Server } from './support/server.mjs';

const READ = 'may-look-only-0123456789';

let server;
before(async () => { server = await Server.start({ tokens: { dashboard: ['read', READ] } }); });

const isIn = (visitor) => visitor.count('form[action="/sign-out"]');

for (const reader of READERS) {
  test(`in by a right token only, to the page that was asked for, and out: ${named(reader)}`, () =>
    visiting(server, { ...reader, allow: [401] }, async (visitor, page) => {
      assert.equal(await visitor.go('/devices?q=b'), 401);
      assert.equal(await page.locator('html').getAttribute('lang'), { zh: 'zh-CN', en: 'en' }[reader.lang]);
      await visitor.signIn('not the token that it is');
      await page.waitForSelector('[role=alert]');
      assert.equal(await isIn(visitor), 0);
      // The whole line is copied, often with a blank.
      await visitor.signIn(` ${server.token} `);
      await visitor.arrives('/devices?q=b');
      assert.equal(await isIn(visitor), 1);
      const before = await visitor.context.cookies();
      await page.click('form[action="/sign-out"] button');
      await visitor.arrives('/sign-in?out');
      assert.equal(await visitor.count('.notice.good'), 1);
      assert.deepEqual(await visitor.context.cookies(), []);
      assert.equal(await visitor.go('/acts'), 401);
      // Nor is what the cookie held good for anybody else.
      await visitor.context.addCookies(before);
      assert.equal(await visitor.go('/acts'), 401);
      assert.equal(await isIn(visitor), 0);
    }));
}

test('the language of the form is changed on the way to a page', () =>
  visiting(server, { allow: [401] }, async (visitor, page) => {
    await visitor.go('/devices?q=b');
    for (const lang of ['zh-CN', 'en', 'zh-CN']) {
      await page.click('a[hreflang]');
      await page.waitForSelector(`html[lang="${lang}"]`);
    }
    await visitor.signIn();
    await visitor.arrives('/devices?q=b');
    assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN');
  }));

test('the language is the browser\'s until one is chosen, which is kept', async () => {
  for (const [locale, lang] of [['zh-TW', 'zh-CN'], ['de-DE', 'en'], ['en-GB', 'en']]) {
    await visiting(server, { locale }, async (visitor, page) => {
      await visitor.signedIn();
      await visitor.go('/devices?q=b');
      const shown = () => page.locator('html').getAttribute('lang');
      assert.equal(await shown(), lang, locale);
      await visitor.leave('a[hreflang]');
      // The page is the same one, and its address tells nobody which language.
      await visitor.arrives('/devices?q=b');
      const other = { 'zh-CN': 'en', en: 'zh-CN' }[lang];
      assert.equal(await shown(), other, locale);
      await visitor.go('/acts');
      assert.equal(await shown(), other, locale);
    });
  }
});

test('the cookie is for this server alone, and for no script', async () => {
  // Cookies know no ports.
  const cookieName = `xiaozhi-ota-${new URL(server.url).port}`;
  for (const [scheme, name, secure] of [['http', cookieName, false], ['https', `__Host-${cookieName}`, true]]) {
    const url = `${scheme}://${server.host}`;
    await visiting(server, { url, allow: [401] }, async (visitor, page) => {
      await visitor.go('/acts');
      await visitor.signIn();
      await page.waitForSelector('form[action="/sign-out"]');
      const [cookie, ...others] = await visitor.context.cookies();
      assert.deepEqual(others, []);
      const { httpOnly, sameSite, path, domain } = cookie;
      const expected = { name, secure, httpOnly: true, sameSite: 'Strict', path: '/', domain: '127.0.0.1' };
      assert.deepEqual({ name: cookie.name, secure: cookie.secure, httpOnly, sameSite, path, domain }, expected);
      const hours = (cookie.expires - Date.now() / 1000) / 3600;
      assert.ok(hours > 11 && hours <= 12, `${hours}`);
      assert.equal(await page.evaluate(() => document.cookie), '');
    });
  }
});

test('a session that somebody else put there is nobody\'s', () =>
  visiting(server, { allow: [401] }, async (visitor, page) => {
    const planted = { name: `xiaozhi-ota-${new URL(server.url).port}`, value: 'A'.repeat(43), url: server.url };
    await visitor.context.addCookies([planted]);
    assert.equal(await visitor.go('/acts'), 401);
    await visitor.signIn();
    await page.waitForSelector('form[action="/sign-out"]');
    const cookies = await visitor.context.cookies();
    assert.notEqual(cookies.find(({ name }) => name === planted.name).value, planted.value);
    const asked = await server.ask('GET', '/acts', { headers: { Cookie: `${planted.name}=${planted.value}`, Accept: 'text/html' } });
    assert.equal(asked.status, 401);
    // Nor does one outlive that another signs in over it.
    const old = await server.session(READ);
    await visitor.context.addCookies([{ ...planted, value: old.value }]);
    await visitor.go('/sign-in');
    await visitor.signIn();
    await page.waitForSelector('form[action="/sign-out"]');
    const again = await server.ask('GET', '/acts', { headers: { Cookie: `${planted.name}=${old.value}`, Accept: 'text/html' } });
    assert.equal(again.status, 401);
  }));

test('whoever guessed thirty times keeps no operator out', () =>
  visiting(server, { allow: [401, 429] }, async (visitor, page) => {
    await visitor.go('/sign-in');
    for (let guess = 0; guess < 31; guess += 1) {
      const headers = { Origin: server.url, 'Content-Type': 'application/x-www-form-urlencoded' };
      await server.ask('POST', '/sign-in', { headers, body: `token=guess-number-${guess}` });
    }
    const [reply] = await Promise.all([page.waitForResponse('**/sign-in'), visitor.signIn('one guess more')]);
    assert.equal(reply.status(), 429);
    assert.ok(Number(reply.headers()['retry-after']) > 0);
    await page.waitForSelector('[role=alert]');
    await visitor.signIn();
    await page.waitForSelector('form[action="/sign-out"]');
  }));

for (const reader of READERS) {
  test(`who may look only is told so, and changes nothing: ${named(reader)}`, () =>
    visiting(server, { ...reader, allow: [403, 404, 405] }, async (visitor, page) => {
      await visitor.signedIn(READ);
      await visitor.go('/acts');
      assert.match(await visitor.text('.who'), /dashboard.+/);
      // A page that is none says so within the frame of all others.
      assert.equal(await visitor.go('/nowhere/at/all'), 404);
      await page.waitForSelector('[role=alert]');
      assert.equal(await isIn(visitor), 1);
    }));
}
