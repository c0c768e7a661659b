// What a device, a file or an address says is text wherever it is shown: it runs nothing, is no
// element, and turns nothing around.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { bytes } from './support/images.mjs';
import { PAGES } from './support/pages.mjs';
import { mac } from './support/server.mjs';
import { Visitor, visiting } from './support/visitor.mjs';
import { world } from './support/world.mjs';

const HOSTILE = [
  '<script>pwned=1</script>',
  '<script src=//evil.test/x></script>',
  '</script><script>pwned=1</script>',
  '<img src=x onerror=pwned=1>',
  '<img/src/onerror=pwned=1>',
  '<svg onload=pwned=1>',
  '<svg><script>pwned=1</script></svg>',
  '<svg><animate onbegin=pwned=1 attributeName=x>',
  '</text></svg><img src=x onerror=pwned=1>',
  '<math><mi xlink:href="javascript:pwned=1">x',
  '<iframe srcdoc="<script>parent.pwned=1</script>">',
  '<object data=//evil.test>',
  '<embed src=//evil.test>',
  '<base href=//evil.test/>',
  '<meta http-equiv=refresh content="0;url=//evil.test">',
  '<link rel=stylesheet href=//evil.test/x>',
  '<style>*{display:none}</style>',
  '<form action=//evil.test><button>',
  '</form><form action=//evil.test>',
  '<input autofocus onfocus=pwned=1>',
  '<details open ontoggle=pwned=1>',
  '<evil data-evil=1>',
  '" onmouseover="pwned=1',
  '" autofocus onfocus="pwned=1" x="',
  "' onclick='pwned=1",
  '"><img src=x onerror=pwned=1>',
  "'><img src=x onerror=pwned=1>",
  'javascript:pwned=1',
  'data:text/html,<script>pwned=1</script>',
  '//evil.test/x',
  '../../acts',
  '?q=%22%3E%3Cscript%3Epwned=1%3C/script%3E',
  '#"><script>pwned=1</script>',
  '&lt;img src=x onerror=pwned=1&gt;',
  '&#60;img src=x onerror=pwned=1&#62;',
  '<!--<img src=x onerror=pwned=1>-->',
  ']]><img src=x onerror=pwned=1>',
  '{{pwned=1}}${pwned=1}`',
  '\u202E1.7.0 si ti\u202C\u2066x',
  '=HYPERLINK("//evil.test")',
];

// Elements with the names of their attributes. What is shown must not bring a new one.
const shapes = (page) => page.evaluate(() => [...new Set([...document.querySelectorAll('*')].map((one) => [one.localName, ...one.getAttributeNames().sort()].join(' ')))]);

// What of a text is not isolated from the words around it.
const loose = (page, texts) => page.evaluate((wanted) => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement: parent, data } = walker.currentNode;
    if (wanted.some((text) => data.replace(/\s+/g, ' ').includes(text)) && !parent.closest('bdi, pre')) found.push(data);
  }
  return found;
}, texts.map(shown));

// What of a text is looked for: what turns others around is written out, and what is long is cut.
const shown = (text) => text.replace(/^\W?\u202E|\u202C.*/g, '').replace(/\s+/g, ' ').slice(0, 38);

let server;
let known;
const all = HOSTILE.map((text, number) => ({ text, device: mac(1000 + number) }));

before(async () => {
  server = await world();
  // A name of a file may hold anything but a slash.
  for (const text of HOSTILE.filter((name) => !name.includes('/'))) {
    server.file(`${text}_1.7.1.bin`, await bytes('app-1.7.1.bin'));
  }
  for (const { text, device } of all) {
    const report = {
      application: { name: text, version: text, idf_version: text, elf_sha256: text },
      board: { type: text, name: text, ssid: text, ip: text, mac: text },
      model: text,
      chip_model_name: text,
      ota: { label: text },
      partition_table: [{ label: text, type: 0, subtype: 16, address: 0, size: 1 }],
    };
    await server.checkIn(device, report);
  }
  await visiting(server, { allow: [404] }, async (visitor, page) => {
    await visitor.signedIn();
    known = new Set();
    for (const { path } of PAGES) {
      await visitor.go(server.url + path);
      for (const shape of await shapes(page)) known.add(shape);
    }
  });
});

const hold = async (visitor, texts, what) => {
  const { page } = visitor;
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined, what);
  assert.deepEqual((await shapes(page)).filter((shape) => !known.has(shape)), [], what);
  assert.deepEqual(await loose(page, texts), [], what);
};

test('forty devices that report markup are inert on every page', () =>
  visiting(server, { allow: [404] }, async (visitor, page) => {
    await visitor.signedIn();
    await page.clock.install();
    for (const path of ['/', '/devices', '/firmware', '/server', '/acts']) {
      await visitor.go(path);
      await hold(visitor, HOSTILE, path);
      // The script brings it once more.
      const [, reply] = await Promise.all([page.clock.runFor(10_000), page.locator('[data-live]').count().then((count) => count && page.waitForResponse((each) => each.request().resourceType() === 'fetch'))]);
      if (reply) await reply.finished();
      await hold(visitor, HOSTILE, `${path}, again`);
    }
    for (const { text, device } of all) {
      assert.equal(await visitor.go(`/devices/${device}`), 200, text);
      await hold(visitor, [text], text);
      const { board, version } = await server.api(`/api/v1/devices/${device}`);
      const all = (await page.locator('main').textContent()).replace(/\s+/g, ' ');
      for (const value of [version, board.type, board.name]) assert.ok(all.includes(shown(value)), `${value} is not in: ${all}`);
    }
  }));

test('forty addresses that hold markup are inert', () =>
  visiting(server, { allow: [400, 404] }, async (visitor, page) => {
    await visitor.signedIn();
    for (const { text } of all) {
      const word = encodeURIComponent(text);
      for (const path of [`/devices?q=${word}`, `/devices?after=${word}`, `/devices/${word}`, `/firmware/${word}`, `/acts?a=${word}`]) {
        await visitor.go(path);
        await hold(visitor, [text], path);
      }
      await visitor.go(`/devices?q=${word}`);
      assert.equal(await page.locator('main input[name=q]').inputValue(), text);
    }
  }));

test('forty addresses that hold markup are inert before anybody signs in', async () => {
  const visitor = await Visitor.open(server, { allow: [401] });
  for (const { text } of all) {
    await visitor.go(`/acts?a=${encodeURIComponent(text)}`);
    await hold(visitor, [text], text);
  }
  await visitor.close();
});
