// The built server in a folder of its own, its devices, and a client of its admin address that is
// no browser.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BINARY } from './library.mjs';
import { PATIENCE, until } from './wait.mjs';

// Devices reach the server by this name, whatever its port is.
const HOST = 'ota.example.com';

// Deadlines of the server are nothing that these tests are about.
const CONFIG = (more) => `server: {vision_explain: 'http://${HOST}/mcp/vision/explain'}
gateway:
  ip: 127.0.0.1
  ports: [0]
  limits: {handshake: 1h, headers: 1h, idle: 1h, drain: 1h}
  admin:
    listen: 127.0.0.1:0
${more}`;

// Runs a command to its end.
export const run = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 5 * PATIENCE, ...options });
    let [out, err] = ['', ''];
    child.stdout.on('data', (data) => { out += data; });
    child.stderr.on('data', (data) => { err += data; });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });

// What ends when the tests of this file are over, or are ended.
const ends = [];
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(signal, () => process.exit(1));
after(() => Promise.all(ends.map((end) => end())));

// Starts a program that runs until the tests of this file are over.
export const start = (command, args, options = {}) => {
  const child = spawn(command, args, options);
  const ended = new Promise((resolve) => { child.on('close', resolve); });
  const kill = () => { child.kill('SIGKILL'); };
  process.on('exit', kill);
  ends.push(() => { kill(); return ended; });
  return child;
};

// A temporary folder, gone when the tests of this file are over.
export const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'xiaozhi-ota-browser-'));
  process.on('exit', () => rmSync(path, { recursive: true, force: true }));
  return path;
};

// Value of a field of a line of the log.
export const field = (line, name) => {
  const found = line.match(new RegExp(` ${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|(\\S+))`));
  return found?.[1] ?? found?.[2];
};

// An MAC address of a device, by number.
export const mac = (number) => {
  const hex = number.toString(16).padStart(6, '0');
  return `02:aa:00:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}`;
};

export class Server {
  #lines = [];
  #code;

  // `files` lie in the firmware folder; `more` stands in the section gateway, `tokens` beside the
  // server's own one as {name: [role, token]}.
  static async start({ files = {}, more = '', tokens = {} } = {}) {
    const server = new Server();
    server.dir = folder();
    mkdirSync(join(server.dir, 'data/bin'), { recursive: true });
    for (const [name, bytes] of Object.entries(files)) server.file(name, bytes);
    let listed = '';
    for (const [name, [role, token]] of Object.entries(tokens)) {
      const file = join(server.dir, `${name}.token`);
      writeFileSync(file, `${token}\n`, { mode: 0o600 });
      listed += `      - {name: ${name}, role: ${role}, token_file: '${file}'}\n`;
    }
    const config = CONFIG((listed && `    tokens:\n${listed}`) + more);
    writeFileSync(join(server.dir, 'data/.config.yaml'), config);
    await server.#begin();
    return server;
  }

  async #begin() {
    const child = start(BINARY, [], { cwd: this.dir, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    let rest = '';
    const take = (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop();
      this.#lines.push(...lines);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('close', (code) => { this.#code = code ?? 'killed'; });
    // The vision address is the last line of the start.
    await this.event('address.vision');
    const admin = await this.event('admin.listening');
    this.host = field(admin, 'address');
    this.port = Number(this.host.split(':').pop());
    this.url = `http://${this.host}`;
    this.token = readFileSync(join(this.dir, 'data/state/admin.token'), 'utf8').trim();
    this.devices = field(await this.event('listening'), 'address');
  }

  log() {
    return this.#lines.join('\n');
  }

  events(id, fields = {}) {
    const is = (line) => Object.entries(fields).every(([name, value]) => field(line, name) === value);
    return this.#lines.filter((line) => line.endsWith(` event=${id}`) && is(line));
  }

  // Waits for a line of the log.
  event(id, fields = {}) {
    return until(`event=${id} ${JSON.stringify(fields)}`, () => {
      const found = this.events(id, fields);
      if (found.length) return found[0];
      if (this.#code !== undefined) throw new Error(`the server ended (${this.#code}): ${this.#lines.at(-1)}`);
      return undefined;
    });
  }

  // Puts a file into the firmware folder, whole at once.
  file(name, bytes) {
    const draft = join(this.dir, 'draft');
    writeFileSync(draft, bytes);
    renameSync(draft, join(this.dir, 'data/bin', name));
  }

  // Checks in as a device. `body` is sent as it is, where it is text.
  async checkIn(device, body) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const headers = { 'Device-Id': device, 'Client-Id': 'c', 'Content-Type': 'application/json' };
    const reply = await this.ask('POST', '/xiaozhi/ota/', { at: this.devices, headers, body: text });
    if (reply.status !== 200) throw new Error(`check-in: ${reply.status}: ${reply.text}`);
    return JSON.parse(reply.text);
  }

  // A device of a board with a version.
  board(device, type, version) {
    return this.checkIn(device, { application: { name: 'xiaozhi', version }, board: { type } });
  }

  // A device that fetches what it is offered, whole, and boots with it.
  async updates(device, type, version) {
    const { firmware } = await this.board(device, type, version);
    await this.#fetch(device, firmware.url, 1);
    await this.board(device, type, firmware.version);
  }

  // A device on which what it is offered fails, until it is offered that no more.
  async fails(device, type, version) {
    for (let time = 1; ; time += 1) {
      const { firmware } = await this.board(device, type, version);
      if (!firmware.url) return;
      await this.#fetch(device, firmware.url, time);
    }
  }

  async #fetch(device, url, time) {
    const { pathname, search } = new URL(url);
    const reply = await this.ask('GET', pathname + search, { at: this.devices });
    if (reply.status !== 200) throw new Error(`${url}: ${reply.status}`);
    await until(`download ${time} of ${device}`, () => this.events('download.sent', { device }).length >= time);
  }

  // Plays a fleet to its end.
  async simulate(...args) {
    const place = ['--resolve', `${HOST}=${this.devices}`, '--json'];
    const done = await run(BINARY, ['simulate', `http://${HOST}/xiaozhi/ota/`, ...place, ...args]);
    if (![0, 1].includes(done.code)) throw new Error(`simulate: ${done.code}: ${done.err}`);
    return JSON.parse(done.out);
  }

  // One request, whose head is what is written here, and its reply.
  ask(method, path, { headers = {}, body = '', at = this.host, socketPath } = {}) {
    const [host, port] = at.split(':');
    return new Promise((resolve, reject) => {
      const length = body ? { 'Content-Length': Buffer.byteLength(body) } : {};
      const all = { Host: at, ...length, ...headers };
      const place = socketPath ? { socketPath } : { host, port };
      const request = http.request({ ...place, method, path, headers: all, agent: false }, (reply) => {
        const parts = [];
        reply.on('data', (part) => parts.push(part));
        reply.on('error', reject);
        reply.on('end', () => {
          const text = Buffer.concat(parts).toString();
          resolve({ status: reply.statusCode, headers: reply.headers, text });
        });
      });
      request.on('error', reject);
      request.setTimeout(PATIENCE, () => request.destroy(new Error(`${method} ${path}: no answer`)));
      request.end(body);
    });
  }

  // Has so many devices more, each like one that it knows: it ends, and begins with them.
  async multiply(device, number) {
    this.child.kill('SIGTERM');
    await until('the end', () => this.#code !== undefined);
    const store = join(this.dir, 'data/state/fleet.db');
    const script = join(dirname(fileURLToPath(import.meta.url)), 'multiply.py');
    const { code, err } = await run('python3', [script, store, device, `${number}`]);
    if (code !== 0) throw new Error(`multiply.py: ${err}`);
    this.#lines.length = 0;
    this.#code = undefined;
    await this.#begin();
    await until('what is known', async () => (await this.ask('GET', '/readyz')).status === 200);
  }

  // Every device's MAC address, by the API.
  async everyDevice() {
    const found = [];
    for (let next = ''; next !== null;) {
      const part = await this.api(`/api/v1/devices${next && `?after=${encodeURIComponent(next)}`}`);
      found.push(...part.devices.map((device) => device.mac));
      next = part.next;
    }
    return found;
  }

  // The API's answer to the server's own token.
  async api(path) {
    const reply = await this.ask('GET', path, { headers: { Authorization: `Bearer ${this.token}` } });
    return JSON.parse(reply.text);
  }

  // An order by the API.
  async order(method, path) {
    const reply = await this.ask(method, path, { headers: { Authorization: `Bearer ${this.token}` } });
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status}: ${reply.text}`);
  }

  // Sends a file as the page's form does, and returns where it is shown.
  async upload(name, bytes) {
    const cookie = await this.session();
    const headers = { Cookie: `${cookie.name}=${cookie.value}`, Origin: this.url, Accept: 'text/html' };
    const { text } = await this.ask('GET', '/firmware', { headers });
    const csrf = text.match(/name="csrf" value="([^"]+)"/)[1];
    const part = (field, more) => `--edge\r\nContent-Disposition: form-data; name="${field}"${more}\r\n\r\n`;
    const body = Buffer.concat([
      Buffer.from(`${part('csrf', '')}${csrf}\r\n${part('file', `; filename="${name}"`)}`), bytes, Buffer.from('\r\n--edge--\r\n'),
    ]);
    const type = { 'Content-Type': 'multipart/form-data; boundary=edge' };
    const reply = await this.ask('POST', '/firmware/upload', { headers: { ...headers, ...type }, body });
    if (reply.status !== 303) throw new Error(`upload: ${reply.status}: ${reply.text}`);
    return reply.headers.location;
  }

  // Signs in, and returns the cookie's name and value.
  async session(token = this.token) {
    const headers = { Origin: this.url, 'Content-Type': 'application/x-www-form-urlencoded' };
    const reply = await this.ask('POST', '/sign-in', { headers, body: `token=${token}` });
    const [, name, value] = reply.headers['set-cookie'][0].match(/^([^=]+)=([^;]*)/);
    return { name, value };
  }
}
