// What holds of every page: whoever cannot see, has no mouse, has a phone, or reads one language.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { foreignWords, keyboard, pages, skips, strayLinks } from './support/pages.mjs';
import { READERS, Visitor, named, visiting } from './support/visitor.mjs';
import { READ, world } from './support/world.mjs';
import { until } from './support/wait.mjs';

// A first page with its style, script and icon.
const MOST_BYTES = 60 * 1024;

let server;
before(async () => { server = await world(); });

const looks = [
  { lang: 'zh', width: 1280, dark: false },
  { lang: 'en', width: 360, dark: true },
];
for (const look of looks) {
  test(`axe-core, the keyboard and the window's width find nothing: ${named({ js: true, ...look })}`, () =>
    visiting(server, { ...look, allow: [401, 404] }, async (visitor, page) => {
      const hold = async (path, status) => {
        assert.equal(await visitor.go(path), status, path);
        const found = {
          axe: await visitor.axe(),
          sideways: await visitor.sideways(),
          keyboard: await keyboard(page),
          words: await foreignWords(page, look.lang),
          links: await strayLinks(page, server.host),
        };
        assert.deepEqual(found, { axe: [], sideways: 0, keyboard: [], words: [], links: [] }, path);
        await skips(page);
      };
      await hold('/sign-in', 200);
      await hold('/devices?q=a', 401);
      await visitor.signedIn();
      for (const { path, status = 200 } of pages(server)) await hold(server.url + path, status);
    }));
}

// With a script each page was seen above, by whoever may do something.
for (const reader of READERS.filter(({ js, lang }) => !js || lang === 'zh')) {
  const role = reader.js ? 'read' : 'operate';
  test(`every page is whole, and in one language: ${role}, ${named(reader)}`, () =>
    visiting(server, { ...reader, allow: [404] }, async (visitor, page) => {
      await visitor.signedIn(role === 'read' ? READ : server.token);
      for (const { path, status = 200 } of pages(server)) {
        assert.equal(await visitor.go(server.url + path), status, path);
        assert.equal(await visitor.sideways(), 0, path);
        assert.deepEqual(await foreignWords(page, reader.lang), [], path);
        assert.equal(await page.locator('h1').count(), 1, path);
        assert.match(await page.title(), /\S · xiaozhi-ota$/, path);
        assert.equal(await page.locator('nav [aria-current=page]').count(), status === 200 ? 1 : 0, path);
        // Who may look only is shown no button that he is refused.
        if (role === 'read') assert.deepEqual(await page.locator('main form[method=post]').count(), 0, path);
      }
    }));
}

test('without a token there is nothing but the form', async () => {
  for (const { path } of pages(server)) {
    const reply = await server.ask('GET', path, { headers: { Accept: 'text/html' } });
    assert.equal(reply.status, 401, path);
    // The form leads back to what was asked for.
    assert.doesNotMatch(reply.text.replaceAll('&amp;', '&').replaceAll(path, ''), /csrf|02:aa|esp32s3/, path);
  }
});

test('the first page and its assets are small', () =>
  visiting(server, {}, async (visitor) => {
    const asked = [];
    visitor.context.on('response', (reply) => asked.push(reply));
    await visitor.signedIn();
    await visitor.go('/');
    const icon = await visitor.page.locator('link[rel=icon]').getAttribute('href');
    const sizes = {};
    for (const reply of asked) sizes[new URL(reply.url()).pathname] = (await reply.body()).length;
    sizes[icon] ??= (await server.ask('GET', icon)).text.length;
    const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
    assert.ok(total <= MOST_BYTES, JSON.stringify(sizes));
    assert.equal(Object.keys(sizes).length, 4, JSON.stringify(sizes));
    // What has its hash in its name is kept.
    await visitor.go('/acts');
    const sent = await visitor.page.evaluate(() => performance.getEntriesByType('resource').filter((one) => one.transferSize > 0).map((one) => one.name));
    assert.deepEqual(sent, []);
  }));

test('the keyboard is enough to sign in, look around and sign out', () =>
  visiting(server, { allow: [401] }, async (visitor, page) => {
    // The field has the focus already.
    await visitor.go('/acts');
    await page.waitForSelector('input[name=token]:focus');
    await page.keyboard.type(server.token);
    await page.keyboard.press('Enter');
    await page.waitForSelector('form[action="/sign-out"]');
    const tabTo = async (selector) => {
      await page.waitForLoadState();
      await until(selector, async () => {
        await page.keyboard.press('Tab');
        return page.evaluate((wanted) => document.activeElement?.matches(wanted), selector);
      });
      await page.keyboard.press('Enter');
    };
    for (const path of ['/devices', '/firmware', '/server', '/']) {
      await tabTo(`nav a[href="${path}"]`);
      await visitor.arrives(path);
    }
    await tabTo('form[action="/sign-out"] button');
    await visitor.arrives('/sign-in?out');
  }));

test('what is looked at is fetched again every ten seconds, and only its marked parts change', () =>
  visiting(server, {}, async (visitor, page) => {
    await visitor.signedIn();
    await page.clock.install();
    await visitor.go('/acts');
    // From here on no time passes but what is said.
    await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1000));
    const rows = await visitor.count('#acts tbody tr');
    await page.evaluate(() => { globalThis.isSame = true; document.querySelector('h1').dataset.mine = 'yes'; });
    await server.board('02:aa:00:00:00:77', 'esp32s3', '1.7.0');
    await server.order('DELETE', '/api/v1/devices/02:aa:00:00:00:77');
    let asked = 0;
    page.on('request', () => { asked += 1; });
    await page.clock.runFor(10_000);
    await until('the new row', async () => await visitor.count('#acts tbody tr') === rows + 1);
    assert.deepEqual(await page.evaluate(() => [globalThis.isSame, document.querySelector('h1').dataset.mine]), [true, 'yes']);
    assert.equal(asked, 1);
    // A part in which somebody works stays as it is.
    await page.focus('#acts [tabindex="0"]');
    await server.board('02:aa:00:00:00:77', 'esp32s3', '1.7.0');
    await server.order('DELETE', '/api/v1/devices/02:aa:00:00:00:77');
    const [reply] = await Promise.all([page.waitForResponse('**/acts'), page.clock.runFor(10_000)]);
    await reply.finished();
    await page.clock.runFor(1);
    assert.equal(await visitor.count('#acts tbody tr'), rows + 1);
  }));

test('what nobody looks at is not fetched, and is at once when somebody does', () =>
  visiting(server, {}, async (visitor, page) => {
    await visitor.signedIn();
    await page.clock.install();
    await visitor.go('/acts');
    await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1000));
    const turn = (isHidden) => page.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event('visibilitychange'));
    }, isHidden);
    await turn(true);
    let asked = 0;
    page.on('request', () => { asked += 1; });
    await page.clock.runFor(60_000);
    assert.equal(asked, 0);
    await Promise.all([page.waitForResponse('**/acts'), turn(false)]);
    assert.equal(asked, 1);
  }));

test('whoever is signed out meanwhile is shown the form', () =>
  visiting(server, { allow: [401] }, async (visitor, page) => {
    await visitor.signedIn();
    await page.clock.install();
    await visitor.go('/acts');
    await visitor.context.clearCookies();
    await page.clock.runFor(10_000);
    await page.waitForSelector('form[action="/sign-in"]');
    assert.equal(visitor.at(), '/acts');
  }));
