// Firmware is published from a browser: dropped or chosen, looked at, and only then offered.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { passage } from './support/foreign.mjs';
import { bytes } from './support/images.mjs';
import { Server, mac } from './support/server.mjs';
import { READERS, Visitor, named, visiting } from './support/visitor.mjs';
import { until } from './support/wait.mjs';

const READ = 'may-look-only-0123456789';

let server;
before(async () => {
  server = await Server.start({ tokens: { dashboard: ['read', READ] } });
});

const inFolder = (file) => join(server.dir, 'data/bin', file);

// Drops a file, or several, on the form, as a hand does.
const drop = async (page, names, content, at = 'form[data-upload]') => {
  const data = await page.evaluateHandle(({ files, base64 }) => {
    const transfer = new DataTransfer();
    const letters = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    for (const file of files) transfer.items.add(new File([letters], file));
    return transfer;
  }, { files: [names].flat(), base64: content.toString('base64') });
  for (const type of ['dragenter', 'dragover', 'drop']) await page.dispatchEvent(at, type, { dataTransfer: data });
};

// Chooses a file; without a script it is sent by the button.
const choose = async ({ page }, name, content, isScripted) => {
  await page.setInputFiles('input[type=file]', { name, mimeType: 'application/octet-stream', buffer: content });
  if (!isScripted) await page.click('form[data-upload] button[type=submit]');
};

const draft = /^\/firmware\/drafts\/[^/]+$/;
const onDraft = (visitor) => until('the draft', () => draft.test(visitor.at().split('?')[0]));

// What somebody has, how it comes here, and which board it is for.
const FILES = [
  { what: 'an app image that is dropped', name: 'board-a_1.7.0.bin', content: 'app-1.7.0.bin', board: 'board-a', version: '1.7.0', isDropped: true },
  { what: 'a release\'s archive', name: 'v2.1.0_bread-compact-wifi.zip', content: 'v2.1.0_bread-compact-wifi.zip', board: 'bread-compact-wifi', version: '2.1.0' },
  { what: 'a full flash image', name: 'merged-binary.bin', content: 'merged-binary.bin', board: 'board-c', version: '2.1.0', isAsked: true },
  { what: 'an app image without a name', name: 'xiaozhi.bin', content: 'app-1.9.0.bin', board: 'board-d', version: '1.9.0', isAsked: true },
];

READERS.forEach((reader, number) => {
  const { what, name, content, board, version, isDropped, isAsked } = FILES[number];
  test(`${what} is sent, looked at, published, fetched and deleted: ${named(reader)}`, () =>
    visiting(server, { ...reader, allow: [] }, async (visitor, page) => {
      const file = `${board}_${version}.bin`;
      const device = (each) => mac(0x1000 * (number + 1) + each);
      // Two get it, and one has something newer.
      for (const each of [1, 2]) await server.board(device(each), board, '1.6.0');
      await server.board(device(3), board, '3.0.0');
      await visitor.signedIn();
      await visitor.go('/firmware');
      const sent = await bytes(content);
      if (isDropped) await drop(page, name, sent);
      else await choose(visitor, name, sent, reader.js);
      await onDraft(visitor);
      if (isAsked) {
        // Nobody can tell whose it is: what is typed in is looked at, and not yet done.
        await page.waitForSelector('[role=alert]');
        await page.fill('#model', board);
        await visitor.leave('main form:has(#model) button');
      }
      await page.waitForSelector('.hand.good');
      assert.match(await visitor.text('.hand.good'), new RegExp(file));
      const numbers = await page.locator('main .cards .number').allInnerTexts();
      assert.deepEqual(numbers, ['2', '0', '1'], 'who gets it, runs it, stays');
      // Why the one does not get it is said with its version.
      assert.match(await page.locator('main .scroll tbody tr').first().innerText(), /3\.0\.0/);
      assert.equal(existsSync(inFolder(file)), false, 'nothing is live');
      assert.equal((await server.board(device(1), board, '1.6.0')).firmware.url, '');

      await visitor.leave('form[action$="/publish"] button');
      assert.equal(visitor.at(), '/firmware');
      assert.match(await visitor.text('main > .notice.good'), new RegExp(file));
      await server.event('file.ready', { file });
      await server.updates(device(1), board, '1.6.0');
      await visitor.go('/firmware');
      const card = page.locator('article', { hasText: file });
      assert.equal(await card.locator('.good').count(), 1);
      assert.match(await card.locator('dl').innerText(), new RegExp(`${version.replaceAll('.', '\\.')}[^]* 1`));
      assert.equal(await page.locator('#drafts a', { hasText: name }).count(), 0);

      // By hand.
      await visitor.go('/firmware');
      const [fetched] = await Promise.all([page.waitForEvent('download'), card.locator('a[download]').click()]);
      assert.equal(fetched.suggestedFilename(), file);
      assert.deepEqual(readFileSync(await fetched.path()), readFileSync(inFolder(file)));

      await visitor.leave(`a[href="/firmware/files/${file}/delete"]`);
      const follows = await page.locator('main .cards .number').allInnerTexts();
      assert.deepEqual(follows, ['1', '1'], 'who would get it, and who runs it');
      await visitor.leave('button.danger');
      assert.equal(visitor.at(), '/firmware');
      assert.match(await visitor.text('main > .notice'), new RegExp(file));
      assert.equal(existsSync(inFolder(file)), false);
      await until('the file is gone', async () => { await visitor.go('/firmware'); return await card.count() === 0; });
      await visitor.go('/acts');
      const acts = await page.locator('#acts tbody tr').allInnerTexts();
      assert.ok(acts.slice(0, 2).every((act) => act.includes(file) && act.includes('127.0.0.1')), `${acts}`);
    }));
});

test('a file that is dropped beside the form opens nothing', () =>
  visiting(server, {}, async (visitor, page) => {
    await visitor.signedIn();
    for (const [path, isKept] of [['/firmware', true], ['/acts', false]]) {
      await visitor.go(path);
      const kept = await page.evaluate(() => ['dragover', 'drop'].map((type) => !document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true }))));
      assert.deepEqual(kept, [isKept, isKept], path);
    }
  }));

test('a file that is dropped beside the form is sent', () =>
  visiting(server, {}, async (visitor, page) => {
    await visitor.signedIn();
    await visitor.go('/firmware');
    await drop(page, 'beside_1.7.0.bin', await bytes('app-1.7.0.bin'), 'main > h2:last-of-type');
    await onDraft(visitor);
    await visitor.leave('form[action$="/drop"] button');
  }));

test('a refusal stands in the place of the page, and the script goes on', () =>
  visiting(server, { allow: [400] }, async (visitor, page) => {
    await visitor.signedIn();
    await visitor.go('/firmware');
    await choose(visitor, 'empty_1.0.bin', Buffer.alloc(0), true);
    await page.waitForSelector('main [role=alert]');
    assert.equal(await visitor.count('main'), 1);
    // Its links lead somewhere.
    await visitor.leave('main a');
    assert.equal(await visitor.count('form[data-upload]'), 1);
    await choose(visitor, 'empty_1.0.bin', Buffer.alloc(0), true);
    await page.waitForSelector('main [role=alert]');
    await visitor.leave('.who a[hreflang]');
    assert.equal(await visitor.count('form[data-upload]'), 1);
  }));

test('several files that are dropped at once are none', () =>
  visiting(server, {}, async (visitor, page) => {
    await visitor.signedIn();
    await visitor.go('/firmware');
    const words = await page.getAttribute('form[data-upload]', 'data-one');
    await drop(page, ['one_1.0.bin', 'two_1.0.bin'], await bytes('app-1.7.0.bin'));
    assert.equal(await page.locator('[data-progress] output').innerText(), words);
    assert.equal(visitor.at(), '/firmware');
    await visitor.go('/firmware');
    assert.equal(await page.locator('#drafts a', { hasText: /one_|two_/ }).count(), 0);
  }));

test('whoever was signed out meanwhile is asked before anything is sent', () =>
  visiting(server, { allow: [401] }, async (visitor, page) => {
    await visitor.signedIn();
    await visitor.go('/firmware');
    await visitor.context.clearCookies();
    const sent = [];
    page.on('request', (request) => { if (request.method() === 'POST') sent.push(request.url()); });
    await choose(visitor, 'out_1.0.bin', await bytes('app-1.7.0.bin'), true);
    await page.waitForSelector('input[name=token]');
    assert.deepEqual(sent, []);
  }));

test('an upload that is cut says so, leaves nothing, and can be sent again', async () => {
  const way = await passage(server.host);
  const url = `http://127.0.0.1:${way.port}`;
  await visiting(server, { url }, async (visitor, page) => {
    const { value } = await server.session();
    // The port of the browser's address is in its name.
    const name = `xiaozhi-ota-${way.port}`;
    await visitor.context.addCookies([{ name, value, url, httpOnly: true, sameSite: 'Strict' }]);
    await visitor.go('/firmware');
    const large = await bytes('app-large.bin');
    way.cut = 1024 * 1024;
    await choose(visitor, 'cut_1.9.9.bin', large, true);
    const words = await page.getAttribute('form[data-upload]', 'data-failed');
    await until('the words', async () => (await page.locator('[data-progress] output').innerText()) === words);
    // The browser says it in its console, too.
    visitor.faults();
    assert.deepEqual(readdirSync(join(server.dir, 'data/bin')).filter((file) => file.includes('cut')), []);
    await until('nothing waits', async () => { await visitor.go('/firmware'); return await page.locator('#drafts a', { hasText: 'cut_' }).count() === 0; });
    way.cut = Infinity;
    await choose(visitor, 'cut_1.9.9.bin', large, true);
    await onDraft(visitor);
    await visitor.leave('form[action$="/drop"] button');
    assert.equal(await page.locator('#drafts a', { hasText: 'cut_' }).count(), 0);
  });
});

test('two send a file of one name at once: each sees his own, and the second is asked', async () => {
  const both = await Promise.all([Visitor.open(server), Visitor.open(server)]);
  const contents = [await bytes('app-1.7.0.bin'), await bytes('other-1.7.0.bin')];
  await Promise.all(both.map(async (visitor, number) => {
    await visitor.signedIn();
    await visitor.go('/firmware');
    await choose(visitor, 'twice_1.7.0.bin', contents[number], true);
    await onDraft(visitor);
    await visitor.page.waitForSelector('form[action$="/publish"]');
  }));
  const [one, other] = both;
  assert.notEqual(one.at(), other.at());
  await one.leave('form[action$="/publish"] button');
  await server.event('file.ready', { file: 'twice_1.7.0.bin' });
  // What he was shown is no more what would happen.
  other.allow.add(409);
  await other.leave('form[action$="/publish"] button');
  await other.page.waitForSelector('main [role=alert]');
  assert.deepEqual(readFileSync(inFolder('twice_1.7.0.bin')), contents[0]);
  await Promise.all(both.map((visitor) => visitor.close()));
});

test('what is no firmware is refused with its reason, and nobody is offered it', async () => {
  for (const { js, content } of [{ js: true, content: 'hello' }, { js: false, content: '' }, { js: true, content: '\u00e9'.repeat(9000) }]) {
    await visiting(server, { js, allow: [400, 413] }, async (visitor, page) => {
      await visitor.signedIn();
      await visitor.go('/firmware');
      await choose(visitor, 'none_1.0.0.bin', Buffer.from(content, 'latin1'), js);
      await page.waitForSelector('main [role=alert]');
      assert.equal(await visitor.count('form[action$="/publish"]'), 0);
      assert.equal(existsSync(inFolder('none_1.0.0.bin')), false);
    });
  }
});

test('who may look only sees firmware, and sends none', () =>
  visiting(server, { allow: [403] }, async (visitor, page) => {
    await visitor.signedIn(READ);
    await visitor.go('/firmware');
    assert.equal(await visitor.count('main form'), 0);
    const status = await page.evaluate(async () => {
      const form = new FormData();
      form.append('csrf', document.querySelector('input[name=csrf]').value);
      form.append('file', new File(['x'], 'a_1.0.bin'));
      return (await fetch('/firmware/upload', { method: 'POST', body: form })).status;
    });
    assert.equal(status, 403);
  }));
