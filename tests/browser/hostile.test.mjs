// What a device, a file or an address says is text wherever it is shown: it runs nothing, is no
// element, and turns nothing around.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { bytes } from './support/images.mjs';
import { pages } from './support/pages.mjs';
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
  '%22%3E%3Cscript%3Epwned=1%3C/script%3E',
  '\\x22\\x3e\\x3cscript\\x3epwned=1',
  '&lt;img src=x onerror=pwned=1&gt;',
  '&#60;img src=x onerror=pwned=1&#62;',
  '<!--<img src=x onerror=pwned=1>-->',
  ']]><img src=x onerror=pwned=1>',
  '{{pwned=1}}${pwned=1}`',
  '\u202E1.7.0 si ti\u202C\u2066x',
  '=HYPERLINK("//evil.test")',
];

// What of a text is looked for: what turns others around is written out, and what is long is cut.
const written = (sign) => `\\u{${sign.codePointAt(0).toString(16)}}`;
const shown = (text) => text.replace(/[\u202A-\u202E\u2066-\u2069]/g, written).replace(/\s+/g, ' ').slice(0, 38);

// Of documents (this one, or those at paths): elements with the names of their attributes, and
// what of the texts is not isolated from the words around it.
const look = (page, texts, paths) => page.evaluate(async ({ wanted, paths }) => {
  const of = (root) => {
    const shapes = [...root.querySelectorAll('*')].map((one) => [one.localName, ...one.getAttributeNames().sort()].join(' '));
    const loose = [];
    const walker = document.createTreeWalker(root.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { parentElement: parent, data } = walker.currentNode;
      if (/[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/.test(data)) loose.push(data);
      if (wanted.some((text) => data.replace(/\s+/g, ' ').includes(text)) && !parent.closest('bdi, pre, textarea')) loose.push(data);
    }
    return { shapes: [...new Set(shapes)], loose, words: root.body.textContent.replace(/\s+/g, ' ') };
  };
  if (!paths) return [of(document)];
  const parse = async (path) => new DOMParser().parseFromString(await (await fetch(path, { headers: { accept: 'text/html' } })).text(), 'text/html');
  return Promise.all(paths.map(async (path) => of(await parse(path))));
}, { wanted: texts.map(shown), paths });

let server;
let known;
const all = HOSTILE.map((text, number) => ({ text, device: mac(1000 + number) }));

const paths = (text) => {
  const word = encodeURIComponent(text);
  return [`/devices?after=${word}`, `/devices?board=${word}`, `/devices/${word}`, `/firmware/${word}`, `/acts?a=${word}`, `/${word}`];
};

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
  await visiting(server, { allow: [400, 401, 404] }, async (visitor, page) => {
    known = new Set();
    const learn = async (path) => {
      await visitor.go(server.url + path);
      for (const shape of (await look(page, []))[0].shapes) known.add(shape);
    };
    await learn('/acts');
    await visitor.signedIn();
    for (const path of [...pages(server).map((each) => each.path), ...paths('harmless')]) await learn(path);
  });
});

// Holds the document that is shown, or those at other paths, to what is known.
const hold = async (visitor, texts, what, at) => {
  const { page } = visitor;
  const documents = await look(page, texts, at);
  for (const { shapes, loose } of documents) {
    assert.deepEqual({ elements: shapes.filter((shape) => !known.has(shape)), loose }, { elements: [], loose: [] }, what);
  }
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined, what);
  return documents;
};

test('forty devices that report markup are inert on every page', () =>
  visiting(server, { allow: [404] }, async (visitor, page) => {
    await visitor.signedIn();
    await page.clock.install();
    for (const path of ['/', '/devices', '/firmware', '/server', '/acts']) {
      await visitor.go(path);
      await hold(visitor, HOSTILE, path);
      // The script brings it once more.
      if (await visitor.count('[data-live]')) {
        const isOfScript = (reply) => reply.request().resourceType() === 'fetch';
        const [reply] = await Promise.all([page.waitForResponse(isOfScript), page.clock.runFor(10_000)]);
        await reply.finished();
      }
      await hold(visitor, HOSTILE, `${path}, again`);
    }
    for (const [number, { text, device }] of all.entries()) {
      const path = `/devices/${device}`;
      const { board, version } = await server.api(`/api/v1${path}`);
      const [{ words }] = await hold(visitor, [text], text, [path]);
      for (const value of [version, board.type, board.name]) assert.ok(words.includes(shown(value)), `${value} is not in: ${words}`);
      // To a browser one is like the other.
      if (number % 4) continue;
      assert.equal(await visitor.go(path), 200, text);
      await hold(visitor, [text], text);
    }
  }));

test('forty addresses that hold markup are inert', () =>
  visiting(server, { allow: [400, 404] }, async (visitor, page) => {
    await visitor.signedIn();
    for (const { text } of all) {
      await visitor.go(`/devices?q=${encodeURIComponent(text)}`);
      await hold(visitor, [text], text);
      assert.equal(await page.locator('main input[name=q]').inputValue(), text);
      await hold(visitor, [text], text, paths(text));
    }
  }));

test('forty addresses that hold markup are inert before anybody signs in', () =>
  visiting(server, { allow: [401] }, async (visitor) => {
    await visitor.go('/acts');
    for (const { text } of all) {
      await hold(visitor, [text], text, paths(text));
    }
  }));
