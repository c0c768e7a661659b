// Devices: one that failed is understood, tried again and forgotten; one that updates is seen to;
// one of many is found.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { bytes } from './support/images.mjs';
import { Server, mac } from './support/server.mjs';
import { READERS, named, visiting } from './support/visitor.mjs';
import { until } from './support/wait.mjs';

const FILE = 'esp32s3_1.7.0.bin';
const READ = 'may-look-only-0123456789';

let server;
before(async () => {
  server = await Server.start({ files: { [FILE]: await bytes('app-1.7.0.bin') }, tokens: { dashboard: ['read', READ] } });
  await server.event('file.ready', { file: FILE });
});

READERS.forEach((reader, number) => {
  test(`a device that failed is understood, tried again and forgotten: ${named(reader)}`, () =>
    visiting(server, { ...reader, allow: [404] }, async (visitor, page) => {
      const [device, other] = [mac(0x100 + number), mac(0x110 + number)];
      await server.fails(device, 'esp32s3', '1.6.0');
      await visitor.signedIn();
      // What needs a hand stands on the first page, and leads to the device.
      await until('the failure on the first page', async () => {
        await visitor.go('/');
        return await visitor.count(`.hand.bad a[href="/devices/${device}"]`);
      });
      assert.match(await visitor.text('.hand.bad'), /esp32s3_1\.7\.0\.bin/);
      await visitor.leave(`.hand.bad a[href="/devices/${device}"]`);
      assert.equal(visitor.at(), `/devices/${device}`);
      // Each end of an offer, and why the file is not offered now.
      assert.equal(await visitor.count('strong.bad'), 2);
      const why = page.locator('section[aria-labelledby=now] tr', { hasText: FILE });
      assert.equal(await why.locator('[title="withheld.failed"]').count(), 1);

      // Another try.
      await visitor.leave(`form[action="/devices/${device}/retry"] button`);
      assert.equal(visitor.at(), `/devices/${device}`);
      assert.equal(await visitor.count('main > .notice.good'), 1);
      assert.equal(await why.locator('[title="forecast.gets"]').count(), 1);
      await page.reload();
      // It is said once.
      assert.equal(await visitor.count('main > .notice'), 0);
      const { firmware } = await server.board(device, 'esp32s3', '1.6.0');
      assert.match(firmware.url, new RegExp(FILE));

      // To forget it is asked about first.
      await visitor.leave(`a[href="/devices/${device}/forget"]`);
      assert.equal(visitor.at(), `/devices/${device}/forget`);
      await visitor.leave(`main a[href="/devices/${device}"]`);
      await visitor.leave(`a[href="/devices/${device}/forget"]`);
      await visitor.leave('button.danger');
      assert.equal(visitor.at(), '/devices');
      assert.equal(await visitor.count('main > .notice.good'), 1);
      assert.equal(await visitor.go(`/devices/${device}`), 404);
      await visitor.go('/acts');
      const acts = await page.locator('#acts tbody tr').allInnerTexts();
      // Whom it was about is forgotten, too.
      assert.ok(acts.length >= 2 && acts.slice(0, 2).every((act) => /127\.0\.0\.1/.test(act) && !act.includes(device)), `${acts}`);

      // What another one of its kind got.
      await server.updates(other, 'esp32s3', '1.6.0');
      await visitor.go(`/devices/${other}`);
      assert.equal(await visitor.count('strong.good'), 1);
    }));
});

test('a device that updates is seen to, by whoever looks at it meanwhile', () =>
  visiting(server, {}, async (visitor, page) => {
    const device = mac(0x200);
    await server.board(device, 'bread-compact-wifi', '1.6.0');
    await visitor.signedIn();
    await page.clock.install();
    await visitor.go(`/devices/${device}`);
    assert.equal(await visitor.count('strong.good'), 0);
    await server.updates(device, 'esp32s3', '1.6.0');
    // It is said where the reader is, and the page is the same one.
    await page.evaluate(() => { globalThis.isSame = true; scrollTo(0, 100); });
    await page.clock.runFor(10_000);
    await page.waitForSelector('strong.good');
    assert.equal(await page.evaluate(() => globalThis.isSame), true);
    // Signs of an opened part stay.
    await page.clock.runFor(10_000);
    assert.equal(await visitor.count('strong.good'), 1);
  }));

test('what is said of an act waits for whoever reads, not for a script of another window', async () => {
  const device = mac(0x300);
  await server.board(device, 'esp32s3', '1.7.0');
  const { name, value } = await server.session();
  const Cookie = `${name}=${value}`;
  const read = (mode) => server.ask('GET', '/acts', { headers: { Cookie, Accept: 'text/html', 'Sec-Fetch-Mode': mode } });
  const csrf = (await read('navigate')).text.match(/name="csrf" value="([^"]+)"/)[1];
  const headers = { Cookie, Origin: server.url, 'Content-Type': 'application/x-www-form-urlencoded' };
  const act = await server.ask('POST', `/devices/${device}/forget`, { headers, body: `csrf=${csrf}` });
  assert.equal(act.status, 303);
  const said = async (mode) => /class="notice good"/.test((await read(mode)).text);
  assert.deepEqual([await said('cors'), await said('same-origin'), await said('navigate'), await said('navigate')], [false, false, true, false]);
});

test('who may look only sees all of it, has no button, and is refused', () =>
  visiting(server, { allow: [403] }, async (visitor, page) => {
    const device = mac(0x400);
    await server.fails(device, 'esp32s3', '1.6.0');
    await visitor.signedIn(READ);
    for (const path of ['/', '/devices', `/devices/${device}`, `/devices/${device}/forget`]) {
      await visitor.go(path);
      assert.equal(await visitor.count('main form[method=post]'), 0, path);
    }
    for (const act of ['retry', 'forget']) {
      await visitor.go(`/devices/${device}`);
      await page.evaluate((action) => {
        const form = document.querySelector('form[action="/sign-out"]');
        form.action = action;
        form.submit();
      }, `/devices/${device}/${act}`);
      await page.waitForSelector('main [role=alert]');
      assert.equal((await server.api(`/api/v1/devices/${device}`)).mac, device);
      assert.deepEqual((await server.api(`/api/v1/devices/${device}`)).ordered, []);
    }
  }));
