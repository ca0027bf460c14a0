import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePrecision, floatTypeOf, type Hardware } from '#src/training/precision-choice.js';

const cpuInfo = (vendor: string, model: number, flags: string) => `processor\t: 0
vendor_id\t: ${vendor}
cpu family\t: ${vendor === 'AuthenticAMD' ? 25 : 6}
model\t\t: ${model}
model name\t: A processor
flags\t\t: fpu vme ${flags} sse

processor\t: 1
`;

const machine = (info: string, gpus: readonly string[] = []): Hardware => ({
  hasGpu: () => gpus.length > 0,
  gpus: () => gpus,
  cpuInfo: () => info,
});
const plain = cpuInfo('GenuineIntel', 79, 'avx2');

for (const [name, info, expected] of [
  ['no bfloat16', plain, 'fp32'],
  ['AMX', cpuInfo('GenuineIntel', 143, 'avx512_bf16 amx_bf16 amx_tile'), 'bf16'],
  ['Sapphire Rapids without its AMX', cpuInfo('GenuineIntel', 143, 'avx512_bf16 avx512_fp16'), 'fp32'],
  ['Cooper Lake', cpuInfo('GenuineIntel', 85, 'avx512_bf16'), 'bf16'],
  ['Cascade Lake, of the same model', cpuInfo('GenuineIntel', 85, 'avx512f'), 'fp32'],
  ['Zen 4', cpuInfo('AuthenticAMD', 17, 'avx512_bf16'), 'bf16'],
  ['no /proc/cpuinfo', '', 'fp32'],
] as const) {
  test(`auto on a processor: ${name}`, () => {
    assert.equal(choosePrecision('auto', 'cpu', machine(info)), expected);
    assert.equal(choosePrecision('auto', 'auto', machine(info)), expected);
  });
}

for (const [gpus, expected] of [
  [['NVIDIA A100-SXM4-80GB, 81920 MiB, 8.0'], 'bf16'],
  [['NVIDIA H100, 81559 MiB, 9.0', 'NVIDIA B200, 183359 MiB, 10.0'], 'bf16'],
  [['Tesla V100-PCIE-32GB, 32768 MiB, 7.0'], 'fp16'],
  [['Tesla P100, 16384 MiB, 6.0'], 'fp32'],
  [['NVIDIA A100, 81920 MiB, 8.0', 'Tesla T4, 15360 MiB, 7.5'], 'fp16'],
  [['Quadro, 1024 MiB, [N/A]'], 'fp32'],
] as const) {
  test(`auto on ${gpus.join(' and ')}`, () => {
    assert.equal(choosePrecision('auto', 'auto', machine(plain, gpus)), expected);
    assert.equal(choosePrecision('auto', 'cuda', machine(plain, gpus)), expected);
    // What the GPU can do says nothing of the processor.
    assert.equal(choosePrecision('auto', 'cpu', machine(plain, gpus)), 'fp32');
  });
}

test('a GPU that does not say what it can do computes in float32', () => {
  assert.equal(choosePrecision('auto', 'cuda', machine(cpuInfo('AuthenticAMD', 17, 'avx512_bf16'))), 'fp32');
});

test('what was asked for is kept', () => {
  const hardware = machine(cpuInfo('GenuineIntel', 143, 'amx_bf16'), ['NVIDIA H100, 81559 MiB, 9.0']);
  assert.equal(choosePrecision('fp32', 'auto', hardware), 'fp32');
  assert.equal(choosePrecision('bf16', 'cpu', machine(plain)), 'bf16');
});

test('each precision has its type', () => {
  assert.deepEqual([floatTypeOf('fp32'), floatTypeOf('bf16')], ['float32', 'bfloat16']);
});
