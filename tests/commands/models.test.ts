import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatModels, type ListedModel, listModels } from '#src/commands/models.js';
import { modelNames } from '#src/models/registry.js';

const cli = join(process.cwd(), 'dist/cli.js');

function run(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'models', ...args], { encoding: 'utf8' });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  return stdout;
}

test('--json lists every model with all that is known about it', async () => {
  const listed = JSON.parse(run('--json')) as ListedModel[];
  assert.deepEqual(listed, await listModels());
  assert.deepEqual(
    listed.map(({ name }) => name),
    modelNames(),
  );
  assert.deepEqual(
    listed.find(({ name }) => name === 'resnet18'),
    {
      name: 'resnet18',
      parameters: 11_689_512,
      macs: 1_814_073_344,
      image_size: 224,
      imagenet_top1: 69.758,
      weights: 'IMAGENET1K_V1',
      licence: 'BSD-3-Clause',
      sources: ['hf:timm/resnet18.tv_in1k'],
    },
  );
});

test('the table has a line for every model', () => {
  const [head = '', ...lines] = run().trimEnd().split('\n');
  assert.match(head, /^Model +Parameters +GMACs +Pixels +Top-1 +Licence +Weights$/);
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    modelNames(),
  );
  const resnet = lines.find((line) => line.startsWith('resnet18 ')) ?? '';
  assert.match(resnet, /^resnet18 +11\.7 M +1\.81 +224 +69\.8 % +BSD-3-Clause +hf:timm\/resnet18\.tv_in1k$/);
});

test('columns are aligned', () => {
  const model: ListedModel = {
    name: 'a',
    parameters: 1_234_567,
    macs: 12_345_678_901,
    image_size: 224,
    imagenet_top1: 70,
    weights: 'V1',
    licence: 'MIT',
    sources: [],
  };
  const other = { ...model, name: 'longer_name', parameters: 123_456_789, licence: 'BSD-3-Clause' };
  const both = { ...model, sources: ['hf:x/y', 'pypi:z'] };
  assert.equal(
    formatModels([model, other, both]),
    [
      'Model        Parameters  GMACs  Pixels   Top-1  Licence       Weights',
      'a                 1.2 M  12.35     224  70.0 %  MIT           no download: give a file with --weights',
      'longer_name     123.5 M  12.35     224  70.0 %  BSD-3-Clause  no download: give a file with --weights',
      'a                 1.2 M  12.35     224  70.0 %  MIT           hf:x/y, pypi:z',
      '',
    ].join('\n'),
  );
});
