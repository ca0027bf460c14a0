// A sweep in an array of jobs under a stand-in for OpenPBS (../scripts/fake-pbs.ts tells what it imitates), with one for
// what trains, too. That it holds on a real one, this can't show.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { cacheFolder } from '#src/tensorflow/cache.js';
import { makeFakeCluster } from '../scripts/fake-pbs.js';
import { lackOfOptuna, SweepPlace, workerProgram } from './place.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const skip = (await lackOfOptuna()) ?? false;

it('tells each trial once though jobs of an array are requeued, deleted and out of time', { skip }, async (t) => {
  const cluster = makeFakeCluster();
  const place = new SweepPlace('array', 'method: random\nrun_cap: 3\nparameters:\n  lr: { min: 0.001, max: 0.1 }\n');
  t.after(async () => {
    await cluster.remove();
    place.remove();
  });
  const hold = join(place.root, 'outputs', 'hold');
  mkdirSync(dirname(hold));
  writeFileSync(hold, '');
  cluster.qsub('-v', 'STAND_IN_OUT_OF_TIME=array-2', scriptOf(place, cluster.project));

  const starts = () => place.recorded('starts').length;
  await cluster.until(() => starts() === 2, 'two trials');
  cluster.call('qrerun', '1[0].fake');
  await cluster.until(() => starts() === 3, 'what the requeued job works on');
  cluster.call('qdel', '1[1].fake');
  await cluster.until(() => stateOf('1[1].fake') === 'F', 'the end of the deleted job');
  rmSync(hold);
  await cluster.until(() => stateOf('2.fake') !== undefined, 'the job that goes on for the requeued one');
  await cluster.until(() => place.recorded('tests').length > 0, 'the test of the best trial');
  await cluster.idle();

  assert.deepEqual(
    cluster.jobs().map(({ id, runs, exitCode }) => [id, runs, exitCode]),
    [
      ['1[0].fake', 2, 75],
      ['1[1].fake', 1, 256 + 15],
      ['2.fake', 1, 0],
    ],
    cluster.output(),
  );
  const recorded = (id: string) => readFileSync(join(place.root, 'outputs/jobs', `${id}.state`), 'utf8');
  assert.deepEqual(['1[0].fake', '1[1].fake', '2.fake'].map(recorded), ['continued 2.fake\n', 'stopped\n', 'done\n']);
  const { trials } = await place.state();
  assert.deepEqual(
    trials.map(({ state, attributes }) => [state, attributes.failures]),
    Array.from({ length: 3 }, () => ['COMPLETE', undefined]),
  );
  assert.deepEqual(place.toldTwice(), []);
  assert.deepEqual(place.recorded('overlaps'), []);
  assert.equal(place.recorded('tests').length, 1);

  function stateOf(wanted: string): string | undefined {
    return cluster.jobs().find(({ id }) => id === wanted)?.state;
  }
});

/** The script that `deep-cnn sweep --submit` writes, with the stand-ins in place of this program. */
function scriptOf(place: SweepPlace, project: string): string {
  const words = [place.file, '--submit=pbs', '--parallel=2', '--walltime=1h', '--dry_run'];
  const folders = [`--root_dir=${place.root}`, `--data_dir=${join(place.root, 'data')}`];
  const script = execFileSync(process.execPath, [join(repository, 'dist/cli.js'), 'sweep', ...words, ...folders], {
    encoding: 'utf8',
    env: { ...process.env, DEEP_CNN_CACHE: cacheFolder() },
  });
  mkdirSync(place.folder, { recursive: true });
  copyFileSync(place.file, join(place.folder, `${place.name}.yaml`));
  writeFileSync(join(project, 'dist/cli.js'), `import(${JSON.stringify(pathToFileURL(workerProgram))});\n`);
  const path = join(project, 'array.pbs');
  // A path with spaces is quoted.
  const ours = new RegExp(`'?${repository.replace(/[^\w/]/g, '\\$&')}([\\w./-]*)'?`, 'g');
  writeFileSync(path, script.replace(ours, '"$PBS_O_WORKDIR"/$1'));
  return path;
}
