import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { UnreadableImageError } from '#src/data/unreadable-image.js';
import { pageFiles } from '#src/export/page-files.js';
import { type ServerLimits, startServer } from '#src/serve/server.js';
import { createSite } from '#src/serve/site.js';

/** Says what class an image is by its first letter, `a`, `b` or `c`; waits for those that begin with `wait`. */
class FakeClassifier {
  private readonly waiting: (() => void)[] = [];

  async classify(file: Buffer): Promise<Float32Array> {
    const text = file.toString('latin1');
    if (text.startsWith('broken')) throw new UnreadableImageError('x', 'a truncated or damaged file');
    if (text.startsWith('bug')) throw new Error('internal: this is the test');
    if (text.startsWith('wait')) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return Float32Array.from('abc', (letter) => (text.startsWith(letter) ? 0.5 : 0.25));
  }

  async release(): Promise<void> {
    while (this.waiting.length === 0) await sleep(5);
    this.releaseThese();
  }

  /** Those that wait now, if any. */
  releaseThese(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

async function start(t: TestContext, limits: Partial<ServerLimits> = {}) {
  const classifier = new FakeClassifier();
  const bugs: unknown[] = [];
  const site = createSite(
    new Map(
      Object.entries({ 'index.html': '<!doctype html>', 'page/main.js': 'export {};' }).map(([name, text]) => [
        name,
        Buffer.from(text),
      ]),
    ),
  );
  const server = await startServer(
    {
      classifier,
      classes: ['apple', 'bear', 'cat'],
      site,
      about: { model: 'none' },
      onBug: (error) => bugs.push(error),
    },
    { host: '127.0.0.1', port: 0 },
    { graceMs: 200, ...limits },
  );
  t.after(server.stop);
  const post = (body: string | FormData, type = 'image/jpeg', query = '') =>
    fetch(`${server.url}/predict${query}`, {
      method: 'POST',
      body,
      headers: type === '' ? {} : { 'content-type': type },
    });
  return { ...server, classifier, bugs, post };
}

/** Sends text as it is and returns what comes back: the head of the answer at least. */
async function sendRaw(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (part) => {
    answer += part.toString('latin1');
    if (answer.includes('\r\n\r\n')) socket.destroy();
  });
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

const errorOf = async (response: Response) => ((await response.json()) as { error: string }).error;

describe('POST /predict', () => {
  test('answers with the most likely classes', async (t) => {
    const { post } = await start(t);
    const response = await post('bread');
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), {
      category: 'bear',
      probability: 0.5,
      top: [
        { category: 'bear', probability: 0.5 },
        { category: 'apple', probability: 0.25 },
        { category: 'cat', probability: 0.25 },
      ],
    });
    const one = await post('c', 'image/png', '?top=1');
    assert.deepEqual(await one.json(), {
      category: 'cat',
      probability: 0.5,
      top: [{ category: 'cat', probability: 0.5 }],
    });
  });

  test('takes the one file of a form', async (t) => {
    const { post } = await start(t);
    const form = (...names: string[]) => {
      const made = new FormData();
      made.set('note', 'text is no file');
      for (const name of names) made.append('image', new Blob(['cherry']), name);
      return made;
    };
    const response = await post(form('a.jpg'), '');
    assert.equal(((await response.json()) as { category: string }).category, 'cat');
    for (const names of [[], ['a.jpg', 'b.jpg']]) {
      const refused = await post(form(...names), '');
      assert.equal(refused.status, 422);
      assert.match(await errorOf(refused), new RegExp(`a form with ${names.length} files`));
    }
    const bad = await post('no form at all', 'multipart/form-data; boundary=x');
    assert.equal(bad.status, 400);
  });

  test('says what is wrong with a request', async (t) => {
    const { post, url, bugs } = await start(t, { bodyBytes: 1000 });
    const cases = [
      [post('broken'), 422, /can't be read: it is a truncated or damaged file/],
      [post(''), 422, /found no bytes/],
      [post('a', 'text/plain'), 415, /found text\/plain/],
      [post('a', 'image/jpeg', '?top=0'), 400, /Bad top: .* found "0"/],
      [post('a', 'image/jpeg', '?top=1&top=2'), 400, /Bad top: expected one, found 2/],
      [post('a', 'image/jpeg', '?top_k=2'), 400, /Unknown parameter: expected top or none, found "top_k"/],
      [post('a'.repeat(1001)), 413, /too large/],
      [fetch(`${url}/predict`), 405, /Expected POST, found GET/],
      [fetch(`${url}/nowhere`), 404, /nothing here/],
      [fetch(`${url}/health`, { method: 'DELETE' }), 405, /Expected GET or HEAD/],
    ] as const;
    for (const [sent, status, message] of cases) {
      const response = await sent;
      assert.equal(response.status, status);
      assert.match(await errorOf(response), message);
    }
    assert.deepEqual(bugs, []);
    const bug = await post('bug');
    assert.equal(bug.status, 500);
    assert.doesNotMatch(await errorOf(bug), /internal/);
    assert.equal(bugs.length, 1);
  });

  test('refuses what is too large without its being sent, or while it is', async (t) => {
    const { url } = await start(t, { bodyBytes: 1000 });
    const asked = request(`${url}/predict`, {
      method: 'POST',
      headers: { 'content-type': 'image/jpeg', 'content-length': 1e9, expect: '100-continue' },
    });
    asked.on('error', () => {});
    asked.flushHeaders();
    let wasAskedFor = false;
    asked.on('continue', () => {
      wasAskedFor = true;
    });
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    assert.equal(response.statusCode, 413);
    assert.equal(wasAskedFor, false);
    asked.destroy();

    const head =
      'POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n';
    const chunk = `${(600).toString(16)}\r\n${'a'.repeat(600)}\r\n`;
    assert.match(await sendRaw(url, `${head}${chunk}${chunk}`), /^HTTP\/1\.1 413 /);
  });

  test('asks for a body that is waited with', async (t) => {
    const { url } = await start(t);
    const asked = request(`${url}/predict`, {
      method: 'POST',
      headers: { 'content-type': 'image/jpeg', 'content-length': 1, expect: '100-continue' },
    });
    asked.flushHeaders();
    await once(asked, 'continue');
    asked.end('a');
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    assert.equal(response.statusCode, 200);
    response.resume();
  });

  test('refuses requests beyond what there is room for, and serves again', async (t) => {
    const { post, classifier } = await start(t, { requests: 2, bytes: 100 });
    const large = await post('a'.repeat(101));
    assert.equal(large.status, 503);
    await large.text();
    const finish = async (sent: readonly Promise<Response>[]) => {
      let done = 0;
      for (const each of sent) {
        void each.then(async (response) => {
          assert.equal(response.status, 200);
          await response.text();
          done += 1;
        });
      }
      // One of them may arrive when the other has been released.
      for (; done < sent.length; await sleep(5)) classifier.releaseThese();
    };
    await finish([post('wait'), post('wait')]);

    const held = [post('wait'), post('wait')];
    let refused = await post('a');
    while (refused.status === 200) {
      await refused.text();
      refused = await post('a');
    }
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get('retry-after'), '1');
    await refused.text();
    await finish(held);
    assert.equal((await post('a')).status, 200);
  });

  test('gives up on those who send too slowly', async (t) => {
    const { url } = await start(t, { headersMs: 200, requestMs: 200 });
    const head = 'POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 10\r\n\r\n';
    for (const text of ['POST /predict HTTP/1.1\r\n', `${head}abc`]) {
      assert.match(await sendRaw(url, text), /^HTTP\/1\.1 408 /);
    }
  });
});

describe('the page', () => {
  test('comes with its types and headers that keep it to itself', async (t) => {
    const { url } = await start(t);
    const response = await fetch(url);
    assert.equal(await response.text(), '<!doctype html>');
    assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8');
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    const script = await fetch(`${url}/page/main.js?v=1`, { method: 'HEAD' });
    assert.equal(script.headers.get('content-type'), 'text/javascript; charset=utf-8');
    assert.equal(script.headers.get('content-length'), '10');
    assert.equal(await script.text(), '');
  });

  test('has the policy that stands in it from the server too, which can forbid frames', async (t) => {
    const html = (await pageFiles()).get('index.html');
    const own = /<meta\s+http-equiv="Content-Security-Policy"\s+content="([^"]+)"/.exec(String(html))?.[1];
    assert.ok(own?.startsWith("default-src 'none'; "));
    const { headers } = await fetch((await start(t)).url);
    assert.equal(headers.get('content-security-policy'), `${own}; frame-ancestors 'none'`);
  });

  test('is sent again only when it has changed', async (t) => {
    const { url } = await start(t);
    const tag = (await fetch(url)).headers.get('etag') ?? '';
    const again = await fetch(url, { headers: { 'if-none-match': tag } });
    assert.equal(again.status, 304);
  });

  test('is all that can be reached', async (t) => {
    const { url } = await start(t);
    for (const path of [
      '/../package.json',
      '/page/../../package.json',
      '/%2e%2e/package.json',
      '/page/',
      '//etc/passwd',
    ]) {
      const answer = await sendRaw(url, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 (404|400) /, path);
    }
  });

  test('is not for names that others have given this machine', async (t) => {
    const { url } = await start(t);
    const ask = (host: string) => sendRaw(url, `GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    for (const host of ['evil.example', '127.0.0.1.evil.example:8080'])
      assert.match(await ask(host), /^HTTP\/1\.1 421 /);
    for (const host of ['localhost', 'localhost:8080', '127.0.0.1:1', '[::1]:8080']) {
      assert.match(await ask(host), /^HTTP\/1\.1 200 /, host);
    }
  });
});

test('tells how it is', async (t) => {
  const { url } = await start(t);
  const response = await fetch(`${url}/health`);
  assert.deepEqual(await response.json(), { status: 'ok', requests: 0, model: 'none' });
});

describe('stopping', () => {
  test('ends what has begun, and takes nothing more', async (t) => {
    const { url, post, classifier, stop } = await start(t, { graceMs: 300_000 });
    const held = post('wait');
    while (((await (await fetch(`${url}/health`)).json()) as { requests: number }).requests === 0) await sleep(5);
    const stopped = stop();
    await assert.rejects(fetch(`${url}/health`, { headers: { connection: 'close' } }));
    await classifier.release();
    const response = await held;
    assert.equal(response.status, 200);
    await response.text();
    await stopped;
  });

  test('does not wait for ever', async (t) => {
    const { post, url, stop } = await start(t, { graceMs: 100 });
    const held = post('wait');
    while (((await (await fetch(`${url}/health`)).json()) as { requests: number }).requests === 0) await sleep(5);
    await Promise.all([stop(), assert.rejects(held)]);
  });
});
