// What a PyTorch pickle may hold beside plain values: tensors, which are views of storages, and the storages, which lie
// outside the pickle. Nothing is read here yet: a tensor is a description.

import { type ElementType, elementBytes } from './element-types.js';
import { brokenFile, refusedContent, shown } from './file-errors.js';
import { PickleFunction, type PickleRules } from './pickle-machine.js';

export class Storage {
  /** The file's own name for it. */
  readonly key: string;
  readonly type: ElementType;
  /** In elements. */
  readonly count: number;

  constructor(key: string, type: ElementType, count: number) {
    this.key = key;
    this.type = type;
    this.count = count;
  }

  get byteLength(): number {
    return this.count * elementBytes[this.type];
  }
}

export class TensorView {
  readonly storage: Storage;
  /** In elements of the storage, as the strides. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Whether it was pickled as a Parameter, whose attributes PyTorch sets afterwards. */
  readonly isParameter: boolean;

  constructor({ storage, offset, shape, strides }: ViewPlace, isParameter = false) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
    this.isParameter = isParameter;
  }
}

/** A pickled object, and where in the file each storage that its tensors look at starts. */
export interface TorchContent {
  value: unknown;
  locate(storage: Storage): Promise<number>;
}

type ViewPlace = Pick<TensorView, 'storage' | 'offset' | 'shape' | 'strides'>;

class StorageType {
  readonly type: ElementType;

  constructor(type: ElementType) {
    this.type = type;
  }
}

/** Something harmless whose value doesn't matter: a metric of NumPy's, a counter, bytes. */
class Ignored {}

const storageTypes: Readonly<Record<string, ElementType>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

/** PyTorch allows 64. */
const maxRank = 32;

/** The rules for one file's pickle, and the storages that it came to name. */
export function torchRules(path: string): PickleRules & { storages: ReadonlyMap<string, Storage> } {
  const storages = new Map<string, Storage>();
  let copiedItems = 0;

  const rebuildTensor = new PickleFunction((args) => {
    const [storage, offset, size, stride] = args;
    // The seventh says that a tensor is to be read conjugated or negated.
    if (args[6] instanceof Map && args[6].size > 0) throw refusedContent(path, 'a tensor with extra attributes');
    if (!(storage instanceof Storage) || !isLength(offset) || !isLengths(size) || !isLengths(stride)) {
      throw brokenFile(path, 'a tensor without a place', 'PyTorch');
    }
    if (size.length !== stride.length || size.length > maxRank) {
      throw brokenFile(path, `a tensor of ${size.length} axes with ${stride.length} strides`, 'PyTorch');
    }
    return new TensorView({ storage, offset, shape: size, strides: stride });
  });

  const rebuildParameter = new PickleFunction(([view]) => {
    if (view instanceof TensorView) return new TensorView(view, true);
    throw brokenFile(path, 'a parameter that is no tensor', 'PyTorch');
  });

  const orderedDict = new PickleFunction(([items = []]) => {
    // Python 2 hands on a list of pairs. One list may be handed on many times over: the count keeps the work in bounds.
    const pairs = Array.isArray(items) ? items : [];
    copiedItems += pairs.length;
    if (copiedItems > maxCopiedItems) throw refusedContent(path, 'one list made into many dicts');
    return new Map(pairs.filter((pair) => Array.isArray(pair) && typeof pair[0] === 'string'));
  });

  const ignored = new Ignored();
  const ignore = new PickleFunction(() => ignored);

  return {
    path,
    storages,
    globals: new Map<string, unknown>([
      ...Object.entries(storageTypes).map(([name, type]) => [`torch.${name}`, new StorageType(type)] as const),
      ['torch._utils._rebuild_tensor', rebuildTensor],
      ['torch._utils._rebuild_tensor_v2', rebuildTensor],
      ['torch._utils._rebuild_parameter', rebuildParameter],
      ['torch._utils._rebuild_parameter_with_state', rebuildParameter],
      ['torch.nn.parameter.Parameter', rebuildParameter],
      ['torch.Size', new PickleFunction(([size]) => size)],
      ['collections.OrderedDict', orderedDict],
      // What schedulers and metrics leave in checkpoints.
      ['collections.Counter', ignore],
      ['numpy.dtype', ignore],
      ['numpy.core.multiarray.scalar', ignore],
      ['numpy._core.multiarray.scalar', ignore],
      ['_codecs.encode', ignore],
    ]),
    resolve(id) {
      const storage = readStorageId(path, id);
      const known = storages.get(storage.key);
      if (!known) storages.set(storage.key, storage);
      else if (known.type !== storage.type || known.count !== storage.count) {
        throw brokenFile(path, `storage ${shown(storage.key)} in two forms`, 'PyTorch');
      }
      return known ?? storage;
    },
    takesState: (object) =>
      object instanceof Map || object instanceof Ignored || (object instanceof TensorView && object.isParameter),
  };
}

const maxCopiedItems = 1_000_000;

/** `('storage', type, key, device, count)`, with a sixth that is None in the legacy format. */
function readStorageId(path: string, id: unknown): Storage {
  const [kind, type, key, , count, view] = Array.isArray(id) ? id : [];
  if (kind !== 'storage') {
    throw refusedContent(
      path,
      kind === 'module' ? 'a network pickled with its code' : 'a reference to something outside',
    );
  }
  if (!(type instanceof StorageType) || typeof key !== 'string' || !isLength(count)) {
    throw brokenFile(path, 'a storage without a type, name or size', 'PyTorch');
  }
  if (view !== undefined && view !== null) {
    throw refusedContent(path, 'a storage inside another one (PyTorch before 0.4 wrote it)');
  }
  return new Storage(key, type.type, count);
}

function isLength(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isLengths(value: unknown): value is readonly number[] {
  return Array.isArray(value) && Object.isFrozen(value) && value.length <= maxRank && value.every(isLength);
}
