// What the fuzzing starts from: whole files, each with a header that can be changed on its own, so that a change of its
// length leaves the rest of the file as it should be.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FileBytes } from '#src/weights/file-bytes.js';
import { locateEntry, readZipDirectory } from '#src/weights/zip.js';
import { uint } from '../pickle-writer.js';
import { zipFile } from '../zip-writer.js';

export interface Sample {
  name: string;
  whole: Buffer;
  header: Buffer;
  withHeader(header: Buffer): Buffer;
}

const fixtures = fileURLToPath(new URL('../../../../tests/weights/fixtures/', import.meta.url));

const zipNames = ['protocol2.pt', 'protocol5.pt', 'types.pt', 'views.pt', 'parameters.pt', 'nested.pt', 'averaged.pt'];
const hostileNames = ['system.pt', 'nested-calls.pt', 'namespace.pt', 'whole-module.pt', 'torchscript.pt'];
const legacyNames = [
  'legacy.pth',
  'legacy-protocol4.pth',
  'types-legacy.pth',
  'views-legacy.pth',
  'eval.pth',
  'bare.pkl',
];

/** Samples by format, so that each has its share whatever the number of its files. */
export async function readCorpus(): Promise<readonly (readonly Sample[])[]> {
  const zips = await Promise.all([...zipNames, ...hostileNames].map(zipSample));
  return [zips, legacyNames.map(legacySample), safetensorsSamples()];
}

async function zipSample(name: string): Promise<Sample> {
  const path = join(fixtures, name);
  const entries: Record<string, Buffer> = {};
  await FileBytes.withFile(path, async (file) => {
    for (const [key, entry] of await readZipDirectory(file)) {
      const plain = { ...entry, isPlain: true };
      entries[key] = Buffer.from(await file.read(await locateEntry(file, plain), entry.size));
    }
  });
  const [pickleName = '', header = Buffer.alloc(0)] =
    Object.entries(entries).find(([key]) => /^[^/]+.data.pkl$/.test(key)) ?? [];
  const withHeader = (changed: Buffer) => zipFile({ ...entries, [pickleName]: changed });
  return { name, whole: readFileSync(path), header, withHeader };
}

/** The header reaches to where the storages start: their first count is what tells, in these files at least. */
function legacySample(name: string): Sample {
  const whole = readFileSync(join(fixtures, name));
  const end = whole.lastIndexOf('e.') + 2;
  const rest = whole.subarray(end);
  return { name, whole, header: whole.subarray(0, end), withHeader: (header) => Buffer.concat([header, rest]) };
}

function safetensorsSamples(): Sample[] {
  const types: Record<string, number> = { F32: 4, F16: 2, BF16: 2, F64: 8, I64: 8, U8: 1 };
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: { model: 'resnet18', classes: '["a","b"]' } };
  for (const [dtype, bytes] of Object.entries(types)) {
    header[`layer.${dtype}.weight`] = { dtype, shape: [2, 3], data_offsets: [offset, offset + 6 * bytes] };
    offset += 6 * bytes;
  }
  const data = Buffer.from(Array.from({ length: offset }, (_, index) => (index * 37) & 255));
  const json = Buffer.from(JSON.stringify(header));
  const whole = Buffer.concat([uint(json.length, 8), json, data]);
  return [
    {
      name: 'its length included',
      whole,
      header: whole.subarray(0, 8 + json.length),
      withHeader: (changed) => Buffer.concat([changed, data]),
    },
    {
      name: 'its length set right',
      whole,
      header: json,
      withHeader: (changed) => Buffer.concat([uint(changed.length, 8), changed, data]),
    },
  ];
}
