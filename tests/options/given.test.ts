import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { UserError } from '#src/errors.js';
import { type GivenOptions, givenNames, quoted, readOptions } from '#src/options/given.js';
import { trainOptions } from '#src/options.js';

const source = (values: Record<string, string | boolean>): GivenOptions =>
  new Map(Object.entries(values).map(([name, value]) => [name, { value, where: `--${name}` }]));

test('the names that any source gives are known, defaults or not', () => {
  assert.deepEqual([...givenNames([])], []);
  const names = givenNames([source({ epochs: '20', wandb: false }), source({ epochs: '3', lr: '1e-3' })]);
  assert.deepEqual([...names].sort(), ['epochs', 'lr', 'wandb']);
});

test('leaving out on the command line wins over the file', () => {
  const file = source({ resume: 'auto' });
  assert.equal(readOptions(trainOptions, [file]).resume, 'auto');
  assert.equal(readOptions(trainOptions, [source({ resume: false }), file]).resume, undefined);
  assert.equal(readOptions(trainOptions, [source({ resume: 'False' }), file]).resume, undefined);
});

const token = 'hf_NotARealTokenButLongEnough';
afterEach(() => {
  delete process.env['HF_TOKEN'];
});

test('an option that holds a secret is refused, whatever the option', () => {
  process.env['HF_TOKEN'] = token;
  for (const name of ['run_name', 'weights', 'data_dir', 'root_dir', 'model', 'freeze', 'resume', 'config', 'epochs']) {
    assert.throws(
      () => readOptions(trainOptions, [source({ [name]: `a-${token}` })]),
      (error) => {
        assert.ok(error instanceof UserError);
        assert.equal(
          error.message,
          `--${name} holds the secret of HF_TOKEN. Take it out: options are written to logs and checkpoints.`,
        );
        return true;
      },
    );
  }
  process.env['HF_TOKEN'] = 'default';
  assert.equal(readOptions(trainOptions, [source({ run_name: 'default' })]).run_name, 'default', 'a placeholder');
});

test('a quoted text has lost its secrets before it is shortened', () => {
  process.env['HF_TOKEN'] = 'a token, with blanks and "quotes"';
  const shown = quoted(`${'x'.repeat(60)}a token, with blanks and "quotes"`);
  assert.equal(shown, `'${'x'.repeat(60)}***'`);
});
