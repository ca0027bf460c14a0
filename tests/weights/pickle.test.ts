import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UserError } from '#src/errors.js';
import { readPickle } from '#src/weights/pickle.js';
import { PickleFunction, type PickleRules } from '#src/weights/pickle-machine.js';
import { global, op, pickle, text, tuple, uint } from './pickle-writer.js';

const rules: PickleRules = {
  path: 'a.pt',
  globals: new Map<string, unknown>([
    ['known.function', new PickleFunction((args) => args.length)],
    ['known.value', 7],
  ]),
  resolve: (id) => ['resolved', id],
  takesState: (object) => object instanceof Map,
};
const read = (operations: readonly Buffer[], protocol?: number) =>
  readPickle(new Uint8Array(pickle(operations, protocol)), 0, rules).value;

/** -1.5. */
const double = Buffer.from('bff8000000000000', 'hex');

describe('readPickle reads', () => {
  const cases: [string, Buffer[], unknown][] = [
    ['None and truth', [tuple(op('N'), op('\x88'), op('\x89'))], [null, true, false]],
    ['small integers', [tuple(op('K\xff'), op('M\x01\x02'), op('J\xfe\xff\xff\xff'))], [255, 513, -2]],
    ['long integers', [tuple(op('\x8a\x00'), op('\x8a\x01\xff'), op('\x8a\x02\x00\x80'))], [0, -1, -32768]],
    ['longer ones', [op('\x8b'), uint(9, 4), op('\x00\x00\x00\x00\x00\x00\x00\x00\x01')], 2n ** 64n],
    ['floats', [op('G'), double], -1.5],
    ['text', [tuple(text('é😀'), op('\x8c\x02\xc3\xa9'), op('\x8d'), uint(1, 8), op('a'))], ['é😀', 'é', 'a']],
    ['Python 2’s text', [tuple(op('U\x01\xe9'), op('T'), uint(1, 4), op('b'))], ['é', 'b']],
    ['bytes', [tuple(op('C\x01a'), op('B'), uint(0, 4))], [Uint8Array.of(97), Uint8Array.of()]],
    ['tuples', [op(')NNN\x87\x85\x86')], [[], [[null, null, null]]]],
    ['lists', [op(']N'), op('a'), op('(K\x01K\x02e')], [null, 1, 2]],
    ['lists at once', [op('(K\x01K\x02l')], [1, 2]],
    [
      'dicts',
      [op('}'), text('a'), op('K\x01s('), text('b'), op('K\x02u')],
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
    ],
    ['dicts at once', [op('('), text('a'), op('K\x01d')], new Map([['a', 1]])],
    ['only what is named by text', [op('}(K\x01K\x02'), text('a'), op('K\x03u')], new Map([['a', 3]])],
    ['a later value', [op('}('), text('a'), op('K\x01'), text('a'), op('K\x02u')], new Map([['a', 2]])],
    ['memory', [text('x'), op('q\x05h\x05r\x06\x00\x00\x00j\x06\x00\x00\x00\x87')], ['x', 'x', 'x']],
    [
      'memory in order',
      [text('x'), op('\x94'), text('y'), op('\x94h\x00h\x01'), op('\x87\x86')],
      ['x', ['y', 'x', 'y']],
    ],
    ['what is dropped', [op('K\x01K\x020(K\x03K\x041')], 1],
    ['copies', [op('K\x012\x86')], [1, 1]],
    ['frames', [op('\x95'), uint(1, 8), op('N')], null],
    ['calls', [global('known', 'function'), tuple(op('N'), op('N')), op('R')], 2],
    ['calls of classes', [global('known', 'function'), op(')\x81')], 0],
    ['globals by their text', [text('known'), text('value'), op('\x93')], 7],
    ['persistent ids', [text('id'), op('Q')], ['resolved', 'id']],
    ['a state, which is dropped', [op('}'), op('Nb')], new Map()],
  ];
  for (const [what, operations, value] of cases) {
    it(what, () => assert.deepEqual(read(operations, 5), value));
  }

  it('one pickle after another', () => {
    const bytes = Buffer.concat([pickle([op('K\x01')]), pickle([op('K\x02')])]);
    const first = readPickle(bytes, 0, rules);
    assert.deepEqual([first.value, readPickle(bytes, first.end, rules)], [1, { value: 2, end: bytes.length }]);
  });

  it('names that JavaScript has a meaning for', () => {
    const value = read([
      op('}('),
      text('__proto__'),
      op('}'),
      text('polluted'),
      op('\x88su'),
      text('constructor'),
      op('Ns'),
    ]);
    assert.ok(value instanceof Map);
    assert.deepEqual([...value.keys()], ['__proto__', 'constructor']);
    assert.equal('polluted' in {}, false);
  });

  it('a list that holds itself', () => {
    const value = read([op(']q\x00h\x00a')]);
    assert.ok(Array.isArray(value) && value[0] === value);
  });
});

describe('readPickle refuses', () => {
  const cases: [string, Buffer[], RegExp][] = [
    ['a function by its name', [global('posix', 'system'), text('true'), op('\x85R')], /found posix\.system\./],
    ['a name alone', [global('builtins', 'eval')], /found builtins\.eval\./],
    ['a name from the stack', [text('os'), text('system'), op('\x93')], /found os\.system\./],
    ['a name and call at once', [op('(ios\nsystem\n')], /found os\.system\./],
    ['what its rules have under another name', [global('known.function', 'x')], /found known\.function\.x\./],
    ['a name with a terminal’s control characters', [global('a\x1b[2J', 'b')], /found a\ufffd\[2J\.b\./],
    ['a long name', [global('a'.repeat(1000), 'b')], /found a{200}\.\.\.\./],
    ['a prototype’s property', [global('__proto__', 'toString')], /found __proto__\.toString\./],
    [
      'a byte that is no operation',
      [op('\x00')],
      /no whole PyTorch file: found 0x00, which is no operation, at byte 3/,
    ],
    ['a set', [op('\x8f')], /pickle operation 0x8f\. Save the weights alone/],
    ['an extension code', [op('\x82\x01')], /pickle operation 0x82/],
    ['an out-of-band buffer', [op('\x97')], /pickle operation 0x97/],
    ['text operations of protocol 0', [op('I1\n')], /pickle operation 0x49/],
    ['an integer of absurd length', [op('\x8b'), uint(2 ** 31, 4)], /an integer of 2147483648 bytes/],
    ['a call of a value', [op('N)R')], /a call of what is no function/],
    ['a call of a value that is known', [global('known', 'value'), op(')R')], /a call of what is no function/],
    ['a call without a tuple', [global('known', 'function'), op('NR')], /a call without a tuple at byte/],
    ['a call with a list', [global('known', 'function'), op(']R')], /a call without a tuple at byte/],
    ['a state of a list', [op(']Nb')], /a state for something that has none/],
    ['a global without a name', [op('NN\x93')], /a global without a name/],
    ['a global cut short', [op('cos\nsystem')], /a line without an end/],
    ['an empty stack', [op('0')], /an empty stack at byte 3 of its pickle/],
    ['nothing to keep', [op('\x94')], /an empty stack/],
    ['no mark', [op('t')], /no mark/],
    ['what was never kept', [op('h\x07')], /memo 7, which is not there/],
    ['a key without a value', [op('}(Nu')], /a key without a value/],
    ['items of a list', [op(']NNs')], /items set on what is no dict/],
    ['additions to a tuple', [op(')Na')], /appended to what is no list/],
    ['additions to a dict', [op('}Na')], /appended to what is no list/],
    ['text past the end', [op('X'), uint(100, 4)], /100 bytes wanted of 1 at byte/],
    ['text of an absurd length', [op('\x8d'), uint(2n ** 64n - 1n, 8)], /bytes wanted of 1/],
  ];
  for (const [what, operations, message] of cases) {
    it(what, () => {
      assert.throws(
        () => read(operations, 5),
        (error: Error) => {
          assert.ok(error instanceof UserError, error.stack);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  it('a newer protocol, and a pickle without an end', () => {
    assert.throws(() => read([op('N')], 6), /pickle protocol 6/);
    assert.throws(() => readPickle(op('\x80\x02N'), 0, rules), /1 bytes wanted of 0 at byte 3/);
  });
});

describe('readPickle works within bounds', () => {
  const million = 1_000_001;
  for (const unit of ['}', ']', '(', 'N', 'U\x01a', '\x8a\x08abcdefgh']) {
    it(`stops after a million steps of ${JSON.stringify(unit)}`, () => {
      assert.throws(() => read([op(unit.repeat(million))]), /a pickle of more than 1,000,000 steps/);
    });
  }

  it('reads lists of many items in a time that grows with their number', () => {
    // Twice: marks and appending must not copy what is there already.
    const value = read([op(`](${'N'.repeat(200_000)}e(${'N'.repeat(200_000)}e`)]);
    assert.ok(Array.isArray(value) && value.length === 400_000);
    const nested = read([op('('.repeat(200_000)), op('t'.repeat(200_000))]);
    assert.ok(Array.isArray(nested));
  });
});
