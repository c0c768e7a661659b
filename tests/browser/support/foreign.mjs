// Servers that are none of ours: a page on the same host, a path that cuts, an Nginx.

import { mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { after } from 'node:test';
import { folder, start } from './server.mjs';
import { until } from './wait.mjs';

const ends = [];
after(() => ends.forEach((end) => end()));

const listen = (server) =>
  new Promise((resolve) => {
    ends.push(() => { server.close(); server.closeAllConnections?.(); });
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });

// Serves pages, by path, and nothing else. Returns the port.
export const pages = (map) =>
  listen(http.createServer((request, reply) => {
    const page = map[request.url.split('?')[0]];
    // A browser asks for an icon by itself.
    reply.writeHead(page === undefined ? 204 : 200, { 'Content-Type': 'text/html; charset=utf-8', Connection: 'close' });
    reply.end(page ?? '');
  }));

// Passes connections on to `way.to`, which may change. A connection on which more than `way.cut`
// bytes are sent is cut; a browser tries another one.
export const passage = async (to) => {
  const way = { to, cut: Infinity };
  way.port = await listen(net.createServer((client) => {
    const [host, port] = way.to.split(':');
    const server = port ? net.connect(Number(port), host) : net.connect(host);
    const both = [client, server];
    for (const each of both) each.on('error', () => both.forEach((socket) => socket.destroy()));
    let sent = 0;
    client.on('data', (data) => {
      sent += data.length;
      if (sent <= way.cut) {
        if (!server.write(data)) { client.pause(); server.once('drain', () => client.resume()); }
        return;
      }
      both.forEach((socket) => socket.destroy());
    });
    client.on('end', () => server.end());
    server.pipe(client);
  }));
  return way;
};

// An Nginx that passes everything on to `host`, with these lines in its location. It listens in a
// folder; a passage in front of it has a port.
export const nginx = async (host, lines = '') => {
  const dir = folder();
  const temps = ['client_body', 'proxy', 'fastcgi', 'scgi', 'uwsgi'];
  const socket = join(dir, 'socket');
  writeFileSync(join(dir, 'nginx.conf'), `daemon off; master_process off; pid nginx.pid; events {}
http {
  access_log off;
  ${temps.map((kind) => `${kind}_temp_path ${kind};`).join(' ')}
  server { listen unix:${socket}; location / { proxy_pass http://${host}; ${lines} } }
}
`);
  temps.forEach((kind) => mkdirSync(join(dir, kind)));
  const child = start('/usr/sbin/nginx', ['-e', 'stderr', '-p', dir, '-c', join(dir, 'nginx.conf')]);
  let said = '';
  child.stderr.on('data', (data) => { said += data; });
  child.stdout.resume();
  await until('Nginx', () => {
    if (child.exitCode !== null) throw new Error(`Nginx ended: ${said}`);
    return new Promise((resolve) => {
      const probe = net.connect(socket, () => { probe.end(); resolve(true); });
      probe.on('error', () => resolve(false));
    });
  });
  return passage(socket);
};
