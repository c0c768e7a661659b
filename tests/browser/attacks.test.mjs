// What pages that are none of ours can do: nothing. The operator has both open in one browser.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import * as foreign from './support/foreign.mjs';
import { pages } from './support/pages.mjs';
import { Visitor, visiting } from './support/visitor.mjs';
import { until } from './support/wait.mjs';
import { GOOD, world } from './support/world.mjs';

let server;
let port;
let untouched;
before(async () => {
  server = await world();
  port = await foreign.pages({ '/': '<!doctype html><title>another page</title>' });
  untouched = await state();
});

// All that an act could change.
const state = async () => {
  const { name, value } = await server.session();
  const read = async (path) => (await server.ask('GET', path, { headers: { Cookie: `${name}=${value}`, Accept: 'text/html' } })).text;
  const count = async (path, pattern) => (await read(path)).match(pattern)?.length;
  return {
    devices: await server.everyDevice(),
    ordered: (await server.api('/api/v1/devices')).devices.map((device) => device.ordered),
    files: readdirSync(join(server.dir, 'data/bin')).sort(),
    drafts: await count('/firmware', /\/firmware\/drafts\//g),
    acts: await count('/acts', /<tr/g),
  };
};

// The operator, who is signed in, reads another page: of another host, and of another port of
// this one, to which a browser sends the cookies of this one.
const besides = (act) => async () => {
  for (const host of ['friend.test', '127.0.0.1']) {
    const other = `http://${host}:${port}`;
    const options = { hosts: [`${host}:${port}`], allow: [401, 403, 404, 405, 421] };
    const visitor = await Visitor.open(server, options);
    await visitor.signedIn();
    await visitor.go('/acts');
    const evil = await visitor.context.newPage();
    await evil.goto(other);
    await act(visitor, evil, host);
    // What is blocked is written to the console, and is what was wanted.
    visitor.faults();
    assert.equal(await visitor.go('/acts'), 200, 'the operator is signed in as ever');
    assert.deepEqual(await state(), untouched);
    await visitor.close();
  }
};

test('another page reads nothing: no picture, no script, no answer', besides(async (visitor, evil) => {
  const assets = await visitor.page.evaluate(() => ({
    icon: document.querySelector('link[rel=icon]').href,
    script: document.querySelector('script').src,
    style: document.querySelector('link[rel=stylesheet]').href,
  }));
  const seen = await evil.evaluate(async ({ base, assets }) => {
    const load = (name, key, value) => new Promise((resolve) => {
      const element = document.createElement(name);
      if (name === 'link') element.rel = 'stylesheet';
      element.onload = () => resolve('loaded');
      element.onerror = () => resolve('refused');
      element[key] = value;
      document.head.append(element);
    });
    const read = async (path, options) => {
      try {
        return (await (await fetch(base + path, options)).text()) || 'nothing';
      } catch {
        return 'refused';
      }
    };
    const results = {
      picture: await load('img', 'src', assets.icon),
      script: await load('script', 'src', assets.script),
      style: await load('link', 'href', assets.style),
    };
    for (const path of ['/acts', '/', '/api/v1/devices', '/metrics', '/healthz']) {
      results[path] = await read(path, { credentials: 'include' });
      results[`${path}, asked first`] = await read(path, { headers: { Authorization: 'Bearer x' } });
      results[`${path}, unseen`] = await read(path, { credentials: 'include', mode: 'no-cors' });
    }
    return results;
  }, { base: server.url, assets });
  const expected = Object.fromEntries(Object.keys(seen).map((name) => [name, 'refused']));
  assert.deepEqual(seen, expected);
}));

test('another page frames nothing, and holds no window', besides(async (visitor, evil) => {
  for (const path of ['/acts', '/sign-in', '/', '/healthz', '/nowhere']) {
    const [failed] = await Promise.all([
      evil.waitForEvent('requestfailed'),
      evil.evaluate((url) => {
        const element = document.createElement('iframe');
        element.src = url;
        document.body.replaceChildren(element);
      }, server.url + path),
    ]);
    assert.equal(failed.url(), server.url + path);
    // It was our answer by which the browser went.
    assert.equal(failed.failure().errorText, 'net::ERR_BLOCKED_BY_RESPONSE', path);
  }
  const [popup] = await Promise.all([
    evil.waitForEvent('popup'),
    evil.evaluate((url) => { globalThis.theirs = globalThis.open(url); }, `${server.url}/acts`),
  ]);
  await popup.waitForURL('**/acts');
  assert.equal(await popup.evaluate(() => globalThis.opener), null);
  await until('a window that is nobody\'s', () => evil.evaluate(() => globalThis.theirs.closed));
}));

// Every kind of form that is on a page, with what stands in it.
const forms = async (visitor, paths) => {
  const found = new Map();
  for (const path of paths) {
    await visitor.go(server.url + path);
    const all = await visitor.page.evaluate(() => [...document.querySelectorAll('form[method=post]')].map((form) => {
      const fields = [...form.elements].filter((element) => element.name).map((element) => [element.name, element.value]);
      return { action: form.action, type: form.enctype, fields };
    }));
    for (const form of all) found.set(`${new URL(form.action).pathname.replace(/\/[^/]*[0-9.][^/]*/g, '')} ${form.fields.map(([name]) => name)}`, form);
  }
  return [...found.values()];
};

test('another page sends no form, were it to know every word of it', besides(async (visitor, evil, host) => {
  const known = await forms(visitor, pages(server).map(({ path }) => path));
  const acts = ['/sign-out', '/retry', '/forget', '/publish', '/drop', '/delete', '/upload'];
  for (const act of acts) assert.ok(known.some(({ action }) => action.endsWith(act)), act);
  const signIn = { action: `${server.url}/sign-in`, fields: [['token', server.token], ['to', '/']] };
  for (const { action, fields, type } of [...known, signIn]) {
    const before = await visitor.context.cookies();
    const [reply] = await Promise.all([
      evil.waitForResponse(action),
      evil.waitForURL(action),
      evil.evaluate(({ action, fields, type }) => {
        const form = Object.assign(document.createElement('form'), { method: 'post', action });
        if (type) form.enctype = type;
        for (const [name, value] of fields) {
          form.append(Object.assign(document.createElement('input'), { type: 'hidden', name, value }));
        }
        document.body.append(form);
        form.submit();
      }, { action, fields, type }),
    ]);
    // A cookie of this host goes along from its other ports, and from nowhere else.
    const isKnown = host === '127.0.0.1' || action.endsWith('/sign-in');
    assert.equal(reply.status(), isKnown ? 403 : 401, `${host}: ${action}`);
    assert.deepEqual(await visitor.context.cookies(), before);
    await evil.goto(`http://${host}:${port}`);
    // A script that sends the same sees no answer, either.
    const said = await evil.evaluate(({ action, fields }) =>
      fetch(action, { method: 'POST', credentials: 'include', mode: 'no-cors', body: new URLSearchParams(fields) })
        .then(() => 'sent', () => 'refused'), { action, fields });
    assert.equal(said, 'refused', `${host}: ${action}`);
  }
}));

test('a form without the word of the session, or with another\'s, is refused', async () => {
  const other = await Visitor.open(server);
  await other.signedIn();
  const theirs = (await forms(other, ['/acts']))[0].fields.find(([name]) => name === 'csrf')[1];
  await other.close();
  await visiting(server, { allow: [403] }, async (visitor, page) => {
    await visitor.signedIn();
    for (const csrf of [theirs, '', undefined]) {
      await visitor.go('/acts');
      const [reply] = await Promise.all([
        page.waitForResponse('**/sign-out'),
        page.evaluate((word) => {
          const form = document.querySelector('form[action="/sign-out"]');
          if (word === undefined) form.elements.csrf.remove();
          else form.elements.csrf.value = word;
          form.submit();
        }, csrf),
      ]);
      assert.equal(reply.status(), 403);
      await page.waitForSelector('[role=alert]');
      assert.equal(await visitor.go('/acts'), 200);
    }
  });
});

test('a page of another name that leads here (DNS rebinding) reads and changes nothing', async () => {
  // Its server sent the page, and then its name led to us.
  const way = await foreign.passage(`127.0.0.1:${port}`);
  const url = `http://evil.test:${way.port}`;
  await visiting(server, { url, allow: [421] }, async (visitor, page) => {
    await visitor.go('/');
    way.to = server.host;
    const said = await page.evaluate(async (token) => {
      const ask = async (path, options) => {
        const reply = await fetch(path, options);
        return [reply.status, await reply.text()];
      };
      const bearer = { headers: { Authorization: `Bearer ${token}` } };
      return {
        page: await ask('/acts'),
        form: await ask('/sign-in', { method: 'POST', body: new URLSearchParams({ token }) }),
        api: await ask('/api/v1/devices', bearer),
        health: await ask('/healthz'),
        act: await ask('/api/v1/devices/02:aa:00:00:00:01', { ...bearer, method: 'DELETE' }),
      };
    }, server.token);
    for (const [name, [status, text]] of Object.entries(said)) {
      assert.equal(status, 421, name);
      assert.ok(!text.includes(GOOD) && !text.includes('csrf'), `${name}: ${text}`);
    }
    assert.deepEqual(await visitor.context.cookies(), []);
    // Nor is somebody there whom such a page leads on.
    assert.equal(await visitor.go('/'), 421);
    assert.doesNotMatch(await page.content(), /csrf|name="token"/);
    // A name that no certificate is for has nothing to isolate, which the console says.
    visitor.faults();
  });
  assert.deepEqual(await state(), untouched);
});

test('an Nginx on the same host opens nothing without a token', async () => {
  const reads = [...pages(server).map(({ path }) => path), '/api/v1/devices', '/api/v1/fleet', '/metrics'];
  const writes = [['POST', '/sign-out'], ['POST', `/api/v1/devices/${GOOD}/retry`], ['DELETE', `/api/v1/devices/${GOOD}`], ['POST', `/devices/${GOOD}/forget`]];
  // As it is written most often, and as somebody writes it who had a 421.
  for (const lines of ['', 'proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For 127.0.0.1;']) {
    const way = await foreign.nginx(server.host, lines);
    const at = `127.0.0.1:${way.port}`;
    for (const [method, path] of [...reads.map((path) => ['GET', path]), ...writes]) {
      for (const Accept of ['text/html', '*/*']) {
        const reply = await server.ask(method, path, { at, headers: { Accept, Origin: `http://${at}` } });
        assert.equal(reply.status, 401, `${method} ${path}`);
        assert.ok(!reply.text.replaceAll(path, '').includes(GOOD), path);
      }
    }
    await visiting(server, { url: `http://${at}`, allow: [401, 403] }, async (visitor, page) => {
      assert.equal(await visitor.go('/acts'), 401);
      const [reply] = await Promise.all([page.waitForResponse('**/sign-in'), visitor.signIn('not the token that it is')]);
      // With a Host of Nginx's own nobody can tell whose page it was.
      assert.equal(reply.status(), lines ? 401 : 403);
      await page.waitForSelector('[role=alert]');
      await visitor.signIn();
      await page.waitForSelector(lines ? 'form[action="/sign-out"]' : '[role=alert]');
    });
  }
});
