// data_download.sh as a job of the stand-in for OpenPBS (fake-pbs.ts tells what it imitates).

import assert from 'node:assert/strict';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startServer } from './archive-server.js';
import { makeFakeCluster } from './fake-pbs.js';
import { tarFile } from './tar-writer.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const image = (split: string, name: string) => `places365_standard/${split}/${name}/0001.jpg`;
const paths = ['train', 'val'].flatMap((split) => ['street', 'yard'].map((name) => image(split, name)));
const archive = tarFile(Object.fromEntries(paths.map((path) => [path, `${path} `.repeat(400)])));

async function makePlace(t: TestContext) {
  const cluster = makeFakeCluster();
  t.after(cluster.remove);
  const { project } = cluster;
  copyFileSync(join(repository, 'data_download.sh'), join(project, 'data_download.sh'));
  cpSync(join(repository, 'scripts/data-download'), join(project, 'scripts/data-download'), { recursive: true });
  mkdirSync(join(project, 'input'));
  const server = await startServer(t, archive);
  const qsub = () =>
    cluster.qsub('-v', `DATA_URL=${server.url},RETRY_SECONDS=0,LOCK_SECONDS=0,FORCE=1`, 'data_download.sh');
  return {
    cluster,
    project,
    server,
    qsub,
    tree: join(project, 'input/places365standard_easyformat/places365_standard'),
  };
}

test('a job downloads into the folder of its submission, and its output tells how it went', async (t) => {
  const { cluster, project, qsub, tree } = await makePlace(t);
  writeFileSync(join(project, 'input/keep.txt'), 'yard\n');
  qsub();
  await cluster.idle();
  assert.equal(cluster.jobs()[0]?.exitCode, 0, cluster.output());
  assert.deepEqual(readdirSync(join(tree, 'train')), ['yard']);
  assert.match(readFileSync(join(project, 'data_download.o1'), 'utf8'), /Everything is in .*\n$/);
});

test('a job that is deleted is gone on with by the next one, all classes where there is no list', async (t) => {
  const { cluster, project, server, qsub, tree } = await makePlace(t);
  server.faults.push({ stallAfter: 4096 });
  const first = qsub();
  const part = join(project, 'input/places365standard_easyformat.tar.part');
  await cluster.until(() => statSync(part, { throwIfNoEntry: false })?.size === 4096, 'the download');
  cluster.call('qdel', first);
  await cluster.idle();
  assert.match(cluster.output(), /Stopped: by a signal\. Run it again to go on/);
  assert.ok(!existsSync(tree));
  qsub();
  await cluster.idle();
  assert.equal(cluster.jobs()[1]?.exitCode, 0, cluster.output());
  assert.deepEqual(readdirSync(join(tree, 'train')), ['street', 'yard']);
  assert.ok(!existsSync(join(project, 'input/places365standard_easyformat.tar')));
  assert.deepEqual(server.requests, ['HEAD', 'GET 0', 'HEAD', 'GET 4096']);
});
