// One of many is found: by what it is called, and by going through all. `MILLION=long`, which
// tests/long sets, tries it with a million.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Server, mac } from './support/server.mjs';
import { READERS, named, visiting } from './support/visitor.mjs';

const ONE = '02:be:ef:c0:ff:ee';
const isLong = process.env.MILLION === 'long';
const MANY = isLong ? 1_000_000 : 300;

let server;
before(async () => {
  server = await Server.start();
  await server.board(ONE, 'the-one-board', '4.5.6');
  await server.board(mac(1), 'crowd', '1.0.0');
  if (isLong) await server.multiply(mac(1), MANY);
  else await server.simulate('-n', `${MANY}`, '--boards', 'esp32s3:70,esp-box:30');
});

const rows = (visitor) => visitor.page.locator('#devices tbody tr td:first-child').allInnerTexts();

for (const reader of READERS) {
  test(`one of ${MANY} is found by any part of it: ${named(reader)}`, () =>
    visiting(server, reader, async (visitor, page) => {
      await visitor.signedIn();
      await visitor.go('/devices');
      assert.equal((await rows(visitor)).length, 100);
      for (const words of [ONE, 'beefc0ffee', 'c0:ff:ee', 'THE-ONE', '4.5.6']) {
        await page.fill('input[name=q]', words);
        await page.keyboard.press('Enter');
        await page.waitForURL((url) => url.searchParams.get('q') === words);
        assert.deepEqual(await rows(visitor), [ONE], words);
        // What was asked for stands there still.
        assert.equal(await page.inputValue('input[name=q]'), words);
      }
      await visitor.leave('#devices a');
      assert.equal(visitor.at(), `/devices/${ONE}`);
      await visitor.go('/devices?q=nobody-is-called-so');
      assert.deepEqual(await rows(visitor), []);
      await visitor.leave('#devices a[href="/devices"]');
      assert.equal((await rows(visitor)).length, 100);
    }));
}

test('whoever goes through all meets each once, while others come and go', { skip: isLong }, () =>
  visiting(server, { js: false }, async (visitor) => {
    await visitor.signedIn();
    const stay = (await server.everyDevice()).filter((device) => device < '02:f');
    await visitor.go('/devices');
    const met = await rows(visitor);
    // In front of and behind where the reader is, some come, and one goes.
    let gone;
    for (let page = 1; await visitor.count('a[rel=next]'); page += 1) {
      await server.board(`02:00:00:ff:00:0${page}`, 'newcomer', '1.0.0');
      await server.board(`01:00:00:ff:00:0${page}`, 'newcomer', '1.0.0');
      if (!gone) {
        gone = met[50];
        await server.order('DELETE', `/api/v1/devices/${gone}`);
      }
      await visitor.leave('a[rel=next]');
      met.push(...await rows(visitor));
    }
    assert.equal(new Set(met).size, met.length, 'nobody twice');
    assert.deepEqual(stay.filter((device) => !met.includes(device)), [], 'nobody left out');
    assert.ok(met.includes(mac(0)) === false);
  }));
