import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TrainingEvent } from '#src/reporting/events.js';
import { messagesFor } from '#src/reporting/messages.js';

const lines: readonly [TrainingEvent, string][] = [
  [{ kind: 'weights', source: undefined }, 'Weights are random'],
  [{ kind: 'weights', source: 'a.pth' }, 'Weights from a.pth'],
  [{ kind: 'weights', source: 'a.pth', newLayer: 'fc' }, 'Weights from a.pth; the last layer, fc, is new'],
  [{ kind: 'model', name: 'm', parameters: 12, trained: 12 }, 'Model loaded with 12 parameters'],
  [{ kind: 'model', name: 'm', parameters: 12, trained: 5 }, 'Model loaded with 12 parameters, 7 of them frozen'],
  [{ kind: 'note', message: 'All is well' }, 'All is well'],
  [{ kind: 'failed', message: 'two\n  lines' }, 'two lines'],
];

for (const [event, text] of lines) {
  test(`says ${JSON.stringify(text)}`, () => {
    assert.deepEqual(
      messagesFor(event).map((message) => message.text),
      [text],
    );
  });
}
