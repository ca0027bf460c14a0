// TensorBoard's event files: TFRecords (https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details),
// each an Event message (tensorflow/core/util/event.proto). Only scalars and the mark of a restart are known here.

/** One record; its `step` belongs to all that it holds. */
export interface TensorboardEvent {
  /** Seconds since 1970. */
  wallTime: number;
  step: number;
  /** Values by tag; they are stored in single precision. */
  scalars?: Readonly<Record<string, number>>;
  /** Tells TensorBoard to drop what it has read of this step and later ones. */
  isRestart?: boolean;
}

/** The record that every event file begins with. */
export function headerRecord(wallTime: number): Buffer {
  return frame(Buffer.concat([double(1, wallTime), bytes(3, Buffer.from('brain.Event:2'))]));
}

export function eventRecord({ wallTime, step, scalars = {}, isRestart = false }: TensorboardEvent): Buffer {
  const values = Object.entries(scalars).map(([tag, value]) =>
    bytes(1, Buffer.concat([bytes(1, Buffer.from(tag)), float(2, value)])),
  );
  const parts = [double(1, wallTime), integer(2, step)];
  if (values.length > 0) parts.push(bytes(5, Buffer.concat(values)));
  if (isRestart) parts.push(bytes(7, integer(1, sessionStart)));
  return frame(Buffer.concat(parts));
}

/** SessionLog.SessionStatus.START */
const sessionStart = 1;

/** The events of a file up to its end, or to where it was cut off or damaged. */
export function* readEvents(file: Buffer): Generator<TensorboardEvent> {
  for (let at = 0; at + frameBytes <= file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    const end = at + frameBytes + length;
    if (file.readUInt32LE(at + 8) !== maskedCrc(file.subarray(at, at + 8)) || end > file.length) return;
    const data = file.subarray(at + 12, at + 12 + length);
    if (file.readUInt32LE(end - 4) !== maskedCrc(data)) return;
    yield readEvent(data);
    at = end;
  }
}

function readEvent(data: Buffer): TensorboardEvent {
  const event = { wallTime: 0, step: 0, scalars: {} as Record<string, number>, isRestart: false };
  for (const { field, value } of fieldsOf(data)) {
    if (field === 1 && Buffer.isBuffer(value)) event.wallTime = value.readDoubleLE();
    if (field === 2 && typeof value === 'number') event.step = value;
    if (field === 5 && Buffer.isBuffer(value)) Object.assign(event.scalars, readScalars(value));
    if (field === 7 && Buffer.isBuffer(value)) {
      event.isRestart = [...fieldsOf(value)].some(({ field, value }) => field === 1 && value === sessionStart);
    }
  }
  return event;
}

function readScalars(summary: Buffer): Record<string, number> {
  const scalars: Record<string, number> = {};
  for (const { field, value } of fieldsOf(summary)) {
    if (field !== 1 || !Buffer.isBuffer(value)) continue;
    const parts = new Map([...fieldsOf(value)].map((part) => [part.field, part.value]));
    const [tag, scalar] = [parts.get(1), parts.get(2)];
    if (Buffer.isBuffer(tag) && Buffer.isBuffer(scalar)) scalars[tag.toString()] = scalar.readFloatLE();
  }
  return scalars;
}

// Protocol buffers' wire format: https://protobuf.dev/programming-guides/encoding/

function double(field: number, value: number): Buffer {
  const buffer = Buffer.alloc(9);
  buffer.writeUInt8((field << 3) | 1);
  buffer.writeDoubleLE(value, 1);
  return buffer;
}

function float(field: number, value: number): Buffer {
  const buffer = Buffer.alloc(5);
  buffer.writeUInt8((field << 3) | 5);
  buffer.writeFloatLE(value, 1);
  return buffer;
}

function integer(field: number, value: number): Buffer {
  return Buffer.from([field << 3, ...varint(value)]);
}

function bytes(field: number, value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(value.length)]), value]);
}

function varint(value: number): number[] {
  const digits: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) digits.push((rest % 128) | 128);
  return [...digits, rest];
}

/** Fields of wire types 0 (numbers), 1, 2 and 5 (bytes). */
function* fieldsOf(message: Buffer): Generator<{ field: number; value: number | Buffer }> {
  let at = 0;
  const readVarint = () => {
    let value = 0;
    for (let scale = 1; at < message.length; scale *= 128) {
      const digit = message.readUInt8(at++);
      value += (digit & 127) * scale;
      if (digit < 128) break;
    }
    return value;
  };
  while (at < message.length) {
    const tag = readVarint();
    const [field, type] = [tag >>> 3, tag & 7];
    if (type === 0) {
      yield { field, value: readVarint() };
      continue;
    }
    const length = type === 1 ? 8 : type === 5 ? 4 : readVarint();
    yield { field, value: message.subarray(at, at + length) };
    at += length;
  }
}

/** What a record has beside its data: its length, and a checksum each of length and data. */
const frameBytes = 8 + 4 + 4;

function frame(data: Buffer): Buffer {
  const record = Buffer.alloc(frameBytes + data.length);
  record.writeBigUInt64LE(BigInt(data.length));
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc(data), 12 + data.length);
  return record;
}

/** CRC-32C as TFRecords store it: turned by 15 bits, plus a constant. */
function maskedCrc(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = (crcTable[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8);
  crc = ~crc;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const castagnoli = 0x82f63b78;
const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? castagnoli : 0);
  return crc;
});
