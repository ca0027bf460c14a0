// Secrets in the environment, and a world that repeats them: none may come out of the program.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import sharp from 'sharp';

const cli = join(process.cwd(), 'dist/cli.js');
const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-secrets-'));
const outputs = join(folder, 'outputs');

const hubToken = 'hf_NotARealTokenAtAll1234567890abcdef';
const wandbKey = '0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c';
const password = 'pass%2Fword-of-mine';
const secrets = [hubToken, wandbKey, password, decodeURIComponent(password)];
/** Long enough that no other text holds it by chance. */
const telling = 9;

/** Repeats the token in each answer's body and headers; the path says what kind of answer. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  const token = request.headers.authorization?.replace('Bearer ', '') ?? 'none';
  const kind = /\/(?:models\/)?a\/([\w-]+)/.exec(request.url ?? '')?.[1] ?? '';
  const headers = { 'x-error-message': `Bad ${token}`, 'www-authenticate': token, 'x-repo-commit': token, etag: token };
  const answers: Record<string, [status: number, more: Record<string, string>]> = {
    forbidden: [403, { 'x-error-code': token }],
    unauthorized: [401, {}],
    missing: [404, { 'x-error-code': token }],
    teapot: [418, {}],
    away: [302, { location: `ftp://${token}/` }],
    elsewhere: [302, { location: `http://${token}.invalid/` }],
    credentials: [302, { location: `http://me:${token}@127.0.0.1:1/` }],
    odd: [200, { 'x-linked-etag': token, 'x-linked-size': token }],
  };
  const [status, more] = answers[kind] ?? [200, {}];
  response.writeHead(status, { ...headers, ...more }).end(`${token} is not JSON`);
}

const server = createServer(echo);
let environment: NodeJS.ProcessEnv;
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  environment = {
    ...process.env,
    HF_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    HF_HOME: join(folder, 'hub'),
    HF_TOKEN: hubToken,
    WB_KEY: wandbKey,
    WANDB_API_KEY: wandbKey,
    DATA_URL: `https://me:${password}@data.example/`,
    CUDA_VISIBLE_DEVICES: '-1',
  };
  for (const split of ['train', 'val']) {
    for (const [name, background] of Object.entries({ green: '#20a040', red: '#c03020' })) {
      const place = join(folder, 'data', split, name);
      mkdirSync(place, { recursive: true });
      const create = { width: 40, height: 40, channels: 3, background } as const;
      for (const index of [0, 1])
        await sharp({ create })
          .jpeg()
          .toFile(join(place, `${index}.jpg`));
    }
  }
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [cli, ...args], { cwd: folder, env: { ...environment, ...env } });
  const streams = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      streams[name] += text;
    });
  }
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, ...streams };
}

function findSecret(text: string): string | undefined {
  const lower = text.toLowerCase();
  return secrets.find((secret) => lower.includes(secret.toLowerCase().slice(0, telling)));
}

/** No secret in what was printed, nor in the name or the content of any file. */
function assertSafe(texts: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(texts)) assert.equal(findSecret(text), undefined, `${name}: ${text}`);
  if (!existsSync(outputs)) return;
  for (const name of readdirSync(outputs, { recursive: true, encoding: 'utf8' })) {
    assert.equal(findSecret(name), undefined, name);
    const path = join(outputs, name);
    if (statSync(path).isFile()) assert.equal(findSecret(readFileSync(path, 'latin1')), undefined, name);
  }
}

test('the check itself finds a secret, in any case and cut short', () => {
  for (const text of [hubToken, `x${wandbKey.toUpperCase()}`, password.slice(0, 10)]) assert.ok(findSecret(text), text);
  assert.throws(() => assertSafe({ stderr: `Bad ${hubToken}` }));
});

const kinds = ['forbidden', 'unauthorized', 'missing', 'teapot', 'away', 'elsewhere', 'credentials', 'odd', 'json'];
for (const kind of kinds) {
  test(`a hub that repeats the token: ${kind}`, async () => {
    const { status, stdout, stderr } = await run(['weights', 'download', `hf:a/${kind}`]);
    assertSafe({ stdout, stderr });
    assert.equal(status, 2, stderr);
    assert.match(stderr, /(^|\n)deep-cnn: [^\n]+\n$/);
  });
}

test('secrets in options are refused before they reach a file', async () => {
  const mistakes: string[][] = [
    [`--run_name=${hubToken}`],
    [`--weights=${folder}/${wandbKey}.pth`],
    [`--weights=https://me:${password}@data.example/w.pth`],
    [`--data_dir=https://me:${password}@data.example/`],
    [`--root_dir=https://me:${password}@data.example/`],
    [`--config=${hubToken}.yaml`],
    [`--resume=${hubToken}`],
    [`--epochs=${wandbKey}`],
    [`--${hubToken}`],
    [`--${hubToken}=1`],
    [`-${hubToken}`],
    [hubToken],
    ['weights', hubToken],
    ['weights', 'download', hubToken],
    ['weights', 'download', `hf:${hubToken}`],
    [`--model=${'x'.repeat(70)}${hubToken}`],
  ];
  for (const args of mistakes) {
    const { status, stdout, stderr } = await run(args[0] === 'weights' ? args : [...args, '--wandb=False']);
    assertSafe({ stdout, stderr });
    assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, /^deep-cnn: [^\n]+\n$/);
  }
  writeFileSync(join(folder, 'run.yaml'), `model: ${hubToken}\nepohcs: ${wandbKey}\n`);
  const { stderr } = await run(['--config=run.yaml']);
  assertSafe({ stderr });
  assert.match(stderr, /unknown option 'epohcs'/);
});

test("a proxy that can't be one does not show its password", async () => {
  for (const proxy of [`http://me:${password}@127.0.0.1:1`, `http://me:${password}@nowhere.invalid:x`]) {
    const { status, stdout, stderr } = await run(['weights', 'download', 'hf:a/b'], {
      HTTP_PROXY: proxy,
      http_proxy: proxy,
      NO_PROXY: '',
      no_proxy: '',
    });
    assertSafe({ stdout, stderr });
    assert.notEqual(status, 0);
  }
});

test('a bug is shown with its stack and without secrets, whether anybody waits for it or not', async () => {
  const failing = 'throw Object.assign(new Error("token " + process.env.HF_TOKEN), { key: process.env.WB_KEY })';
  const bugs: Record<string, string> = {
    waited: `process.stdout.write = () => { ${failing} };`,
    timer: onceReady(`() => { ${failing} }`),
    rejection: onceReady(`async () => { ${failing} }`),
  };
  /** As soon as the program has begun to look after such errors. */
  function onceReady(action: string): string {
    const isReady = `process.listenerCount('uncaughtException') > 0`;
    return `const timer = setInterval(() => { if (${isReady}) { clearInterval(timer); (${action})(); } }, 1);`;
  }
  for (const [name, code] of Object.entries(bugs)) {
    const { status, stdout, stderr } = await run(['models'], {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}`,
    });
    assertSafe({ stdout, stderr });
    assert.equal(status, 1, `${name}: ${stderr}`);
    assert.match(stderr, /Error: token \*\*\*[\s\S]*\n {4}at [\s\S]*key: '\*\*\*'/, name);
  }
});

test('a whole run leaves no secret in its files, its name or on the screen', async () => {
  const common = ['--root_dir=.', '--data_dir=data', '--epochs=1', '--batch_size=2', '--val_split=0.5'];
  const { status, stdout, stderr } = await run([...common, '--model=squeezenet1_1', '--pretrained=False']);
  assert.equal(status, 0, stderr);
  assert.ok(existsSync(join(outputs, 'models/default.safetensors')));
  assertSafe({ stdout, stderr });

  const failed = await run([...common, '--model=squeezenet1_1', '--weights=hf:a/elsewhere', '--run_name=failed']);
  assert.equal(failed.status, 2, failed.stderr);
  assertSafe({ stdout: failed.stdout, stderr: failed.stderr });
});
