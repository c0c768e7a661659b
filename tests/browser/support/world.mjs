// A server that has something to show on every page.

import { bytes } from './images.mjs';
import { Server, mac } from './server.mjs';

export const READ = 'may-look-only-0123456789';

// A device that has the newest image, one that failed it, and one whose board has none.
export const [GOOD, FAILED, ALONE] = [mac(1), mac(2), mac(3)];

// A good file, and one that was cut.
export const [FILE, BROKEN] = ['esp32s3_1.7.0.bin', 'esp32s3_1.8.0.bin'];

// Two images, a file that is none, devices of each kind, acts of people, and files that wait: one
// that can be published, one whose board nobody knows, and one that is none. Where those are shown
// is `server.drafts`.
export const world = async () => {
  const server = await Server.start({
    files: { [FILE]: await bytes('app-1.7.0.bin'), 'esp-box_1.7.1.bin': await bytes('app-1.7.1.bin'), [BROKEN]: (await bytes('app-1.8.0.bin')).subarray(0, 5000) },
    tokens: { dashboard: ['read', READ] },
  });
  await Promise.all([FILE, 'esp-box_1.7.1.bin'].map((file) => server.event('file.ready', { file })));
  for (const device of [GOOD, mac(4), mac(5)]) await server.updates(device, 'esp32s3', '1.6.0');
  await server.fails(FAILED, 'esp32s3', '1.6.0');
  await server.fails(mac(6), 'esp-box', '1.6.0');
  await server.board(ALONE, 'bread-compact-wifi', '1.6.0');
  for (const [method, path] of [['POST', `${mac(6)}/retry`], ['DELETE', mac(4)]]) {
    await server.order(method, `/api/v1/devices/${path}`);
  }
  const waiting = { 'esp32s3_1.9.0.bin': 'app-1.9.0.bin', 'xiaozhi.bin': 'app-1.8.0.bin', 'v2.1.0_bread-compact-wifi.zip': 'v2.1.0_bread-compact-wifi.zip' };
  server.drafts = [];
  for (const [name, content] of Object.entries(waiting)) server.drafts.push(await server.upload(name, await bytes(content)));
  server.drafts.push(await server.upload('none.bin', Buffer.from('no image')));
  return server;
};
