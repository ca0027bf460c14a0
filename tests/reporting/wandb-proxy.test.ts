// W&B from where only a proxy leads out: every request goes through it, the SDK's own as well.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { suite, type TestContext, test } from 'node:test';
import { makePlace } from './wandb-place.js';

/** A proxy that leads to `port` of this machine whatever it is asked for, and remembers what that was. */
async function startProxy(context: TestContext, port: number) {
  const asked: string[] = [];
  const proxy = createServer((_, response) => response.writeHead(405).end());
  proxy.on('connect', ({ url, headers }, socket, head) => {
    asked.push(`${url} ${headers['proxy-authorization'] ?? ''}`.trim());
    const tunnel = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      tunnel.write(head);
      tunnel.pipe(socket).pipe(tunnel);
    });
    for (const end of [socket, tunnel]) end.on('error', () => {});
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return { asked, port: (proxy.address() as AddressInfo).port };
}

suite('W&B behind a proxy', { concurrency: 2 }, () => {
  test('a run arrives through HTTP_PROXY, with its name and password', async (context) => {
    const { server, run, stepsOf } = await makePlace(context);
    const proxy = await startProxy(context, Number(new URL(server.baseUrl).port));
    const HTTP_PROXY = `http://someone:secret@127.0.0.1:${proxy.port}`;
    // A name that nobody can look up.
    const { warnings } = await run({ env: { HTTP_PROXY, WANDB_BASE_URL: 'http://wandb.invalid' } });
    assert.deepEqual(warnings, []);
    assert.deepEqual(stepsOf(), [1, 2]);
    const authorization = `Basic ${Buffer.from('someone:secret').toString('base64')}`;
    assert.deepEqual(new Set(proxy.asked), new Set([`wandb.invalid:80 ${authorization}`]));
  });

  test('NO_PROXY is heeded', async (context) => {
    const { server, run, stepsOf } = await makePlace(context);
    const proxy = await startProxy(context, Number(new URL(server.baseUrl).port));
    const { warnings } = await run({ env: { HTTP_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: '127.0.0.1' } });
    assert.deepEqual(warnings, []);
    assert.deepEqual(stepsOf(), [1, 2]);
    assert.deepEqual(proxy.asked, []);
  });
});
