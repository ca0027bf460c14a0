import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makePlace, type Place } from './wandb-place.js';
import { apiKey } from './wandb-server.js';

interface Child {
  process: ChildProcess;
  output: () => string;
  errors: () => string;
  ended: Promise<number | null>;
}

function startChild(context: TestContext, { server, folder }: Place, what: string): Child {
  const script = fileURLToPath(new URL('./wandb-child.js', import.meta.url));
  const env = { ...process.env, WB_KEY: apiKey, WB_PROJECT: 'streets', WB_USER: 'me', WANDB_BASE_URL: server.baseUrl };
  const child = spawn(process.execPath, [script, folder, what], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  context.after(() => child.kill('SIGKILL'));
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { process: child, output: () => texts.stdout, errors: () => texts.stderr, ended };
}

suite('the process that trains', { concurrency: 3 }, () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`saves its checkpoint at ${signal}: the SDK's handlers don't end it before`, async (context) => {
      const place = await makePlace(context);
      const child = startChild(context, place, 'signals');
      const hasEnded = child.ended.then((code) => assert.fail(`it ended with ${code}: ${child.errors()}`));
      while (!child.output().includes('\n')) {
        await Promise.race([once(child.process.stdout ?? assert.fail(), 'data'), hasEnded]);
      }
      hasEnded.catch(() => {});
      assert.equal(child.output(), 'ready 1,1,0,0\n', 'only its own listeners');
      child.process.kill(signal);
      assert.equal(await child.ended, 75, child.errors());
      assert.equal(readFileSync(join(place.folder, 'checkpoint'), 'utf8'), signal);
      assert.equal(child.errors(), '');
      assert.deepEqual([place.stepsOf(), place.stored()?.exitCode], [[1], 75]);
    });
  }

  test('is neither held up by its network nor holds it up: rows arrive while steps block', async (context) => {
    const place = await makePlace(context);
    place.fail('any', { delayMs: 300 });
    const child = startChild(context, place, 'blocked');
    await place.server.until(() => place.stored()?.history.length === 1);
    assert.equal(child.process.exitCode, null, 'the row came while steps were still running');
    writeFileSync(join(place.folder, 'arrived'), '');
    assert.equal(await child.ended, 0, child.errors());
    assert.ok(!existsSync(join(place.folder, 'checkpoint')));
    assert.equal(child.errors(), '');
  });
});
