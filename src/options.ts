// The options of a training run: ONE table, from which the command line, configuration files, `--help` and the config's
// type all follow. A new option is a new entry here.
import { augmentations } from './data/augment.js';
import { defaultWorkers } from './data/threads.js';
import { projectRoot } from './options/paths.js';
import { isPlainFileName } from './options/run-name.js';
import {
  bareOrText,
  choice,
  decimal,
  duration,
  flag,
  integer,
  integersFrom,
  memorySize,
  optionalDecimal,
  optionalText,
  text,
  type ValuesOf,
} from './options/spec.js';

const maxSeed = 2 ** 32 - 1;
/** No machine has the memory for larger ones: their pixels alone are 40 GB at 224 x 224. */
const maxBatchSize = 65_536;

const training = 'Training';
const model = 'Model';
const data = 'Data';
const run = 'Run';
const safety = 'Safety';

const notNegative = { expected: 'a number, 0 or more', isInRange: (value: number) => value >= 0 };
const belowOne = { expected: 'a number from 0 to below 1', isInRange: (value: number) => value >= 0 && value < 1 };
/** Single precision, in which training computes, takes the smallest numbers for 0. */
const aboveZero = { expected: 'a number above 0', isInRange: (value: number) => Math.fround(value) > 0 };

export const trainOptions = {
  epochs: integer({
    group: training,
    help: 'Times that training goes through all images',
    default: 20,
    ...integersFrom(1),
  }),
  batch_size: integer({
    group: training,
    help: 'Images in one training step',
    default: 128,
    ...integersFrom(1, maxBatchSize),
  }),
  accumulate: integer({
    group: training,
    help: 'Batches whose gradients make one step, as if the batch were so many times larger',
    default: 1,
    ...integersFrom(1, 1024),
  }),
  auto_batch: flag({
    group: training,
    help: 'Compute each batch in parts, and add their gradients up, where there is no memory for all of it at once',
    default: false,
  }),
  lr: decimal({
    group: training,
    help: 'Learning rate at the start',
    default: 1e-3,
    ...aboveZero,
  }),
  schedule: choice({
    group: training,
    help: 'How the learning rate falls from epoch to epoch; inverse-time is lr / (1 + (lr / epochs) * epoch)',
    choices: ['inverse-time', 'cosine', 'step', 'constant'],
    default: 'inverse-time',
  }),
  warmup: integer({
    group: training,
    help: 'Epochs in which the learning rate first rises; fewer than epochs',
    default: 0,
    ...integersFrom(0),
  }),
  optimizer: choice({
    group: training,
    help: 'Optimizer; sgd is with momentum',
    choices: ['adam', 'sgd'],
    default: 'adam',
  }),
  weight_decay: decimal({
    group: training,
    help: "Weight decay: AdamW's with adam, L2 with sgd",
    default: 0,
    ...notNegative,
  }),
  momentum: decimal({
    group: training,
    help: 'Momentum of sgd',
    default: 0.9,
    ...belowOne,
  }),
  precision: choice({
    group: training,
    help: 'Arithmetic of convolutions and activations; auto takes bf16, or on older GPUs fp16, where processor or GPU computes it faster',
    choices: ['auto', 'fp32', 'bf16', 'fp16'],
    default: 'auto',
  }),
  label_smoothing: decimal({
    group: training,
    help: 'Share of each label that goes to all classes alike',
    default: 0,
    ...belowOne,
  }),
  class_weights: choice({
    group: training,
    help: 'auto weighs rare classes more, by the inverse of their number of images',
    choices: ['none', 'auto'],
    default: 'none',
  }),
  augment: choice({
    group: training,
    help: 'Augmentation of training images: basic is random resized crop and flip, trivial adds TrivialAugment',
    choices: augmentations,
    default: 'none',
  }),
  mixup: decimal({
    group: training,
    help: 'Alpha of mixup, which blends images and labels; 0 is off, 0.2 usual',
    default: 0,
    ...notNegative,
  }),
  cutmix: decimal({
    group: training,
    help: 'Alpha of CutMix, which puts a part of one image into another; 0 is off, 1 usual',
    default: 0,
    ...notNegative,
  }),
  seed: integer({
    group: training,
    help: 'Seed of everything random: the same seed gives the same run',
    default: 42,
    ...integersFrom(0, maxSeed),
  }),

  // The registry of models checks the name, so that this file needs no model.
  model: text({ group: model, help: 'Network to train, such as resnet18', type: 'name', default: 'resnet101' }),
  pretrained: flag({
    group: model,
    help: 'Start from ImageNet weights rather than random ones',
    default: true,
  }),
  weights: optionalText({
    group: model,
    help: 'Weights to start from in place of the ImageNet weights: a file, or hf:owner/repo[@revision][:file] on the Hugging Face hub',
    type: 'file',
  }),
  freeze: text({
    group: model,
    help: 'What stays as it is: none; backbone, all but the last layer; or a part such as layer3, with all before it',
    type: 'part',
    default: 'none',
  }),
  unfreeze_epoch: integer({
    group: model,
    help: 'Epoch, counted from 1, from which the frozen part is trained too; 0 is never',
    default: 0,
    ...integersFrom(0),
  }),
  lr_backbone: optionalDecimal({
    group: model,
    help: 'Learning rate at the start of all but the last layer',
    defaultText: 'as --lr',
    ...aboveZero,
  }),
  pre: choice({
    group: model,
    help: "Preprocessing; resnet is resize to 256, centre crop to 224, ImageNet normalisation; inception has mean and std 0.5, none has none; auto is the model's own",
    choices: ['auto', 'resnet', 'inception', 'none'],
    default: 'resnet',
  }),

  data_dir: text({
    group: data,
    help: 'Folder with train/<class>/* and val/<class>/*; a relative one is sought in root_dir, then in the current folder',
    type: 'folder',
    default: 'input/places365standard_easyformat/places365_standard',
  }),
  val_split: decimal({
    group: data,
    help: 'Share of the train folder that is held back for validation',
    default: 0.2,
    ...belowOne,
  }),
  test: flag({
    group: data,
    help: 'Measure the test images of the folder val at the end; without it none of them is read',
    default: true,
  }),
  exif: flag({
    group: data,
    help: 'Turn images the way their EXIF orientation says, which torchvision does not',
    default: false,
  }),
  bad_images: choice({
    group: data,
    help: 'What an unreadable image does: skip leaves it out, up to 1 % of all images; error stops the run',
    choices: ['skip', 'error'],
    default: 'skip',
  }),
  workers: integer({
    group: data,
    help: 'Images that are decoded at the same time',
    default: defaultWorkers,
    defaultText: 'one per processor, at least 4',
    ...integersFrom(1, 1024),
  }),
  cache: choice({
    group: data,
    help: 'auto computes what --freeze=backbone makes of images without augmentation once, and keeps it in outputs/features; ram and disk (outputs/images) keep decoded images without augmentation; off keeps nothing',
    choices: ['auto', 'ram', 'disk', 'off'],
    default: 'auto',
  }),

  run_name: text({
    group: run,
    help: "First part of the run's file names",
    type: 'name',
    default: 'default',
    expected: 'a plain file name: no slashes or .., no . or - before it, no . or .best after it, at most 180 bytes',
    isValid: isPlainFileName,
  }),
  root_dir: text({
    group: run,
    help: 'Folder that holds outputs/ and, unless data_dir says otherwise, input/',
    type: 'folder',
    default: projectRoot,
    defaultText: "the project's folder; the current one when installed as a dependency",
  }),
  device: choice({
    group: run,
    help: 'Where to compute; auto takes the GPU when there is one',
    choices: ['auto', 'cuda', 'cpu'],
    default: 'auto',
  }),
  gpus: integer({
    group: run,
    help: 'GPUs that train together, each on its part of every batch',
    default: 1,
    ...integersFrom(1, 64),
  }),
  gpu_memory_limit: memorySize({
    group: run,
    help: 'Memory that may be taken of each GPU; it is taken as it is needed',
    defaultText: 'all',
  }),
  xla: flag({
    group: run,
    help: 'Let XLA compile what runs on a GPU: steps take less time, the first of each kind half a minute or more',
    default: false,
  }),
  resume: bareOrText({
    group: safety,
    help: 'Go on with a run: bare, with the last checkpoint of run_name; auto, the same if there is one; or with a checkpoint file',
    type: 'auto|file',
    expected: 'auto, last or a checkpoint file',
    bare: 'last',
  }),
  checkpoint_minutes: decimal({
    group: safety,
    help: 'Minutes between checkpoints within an epoch; 0 saves at the ends of epochs only',
    default: 15,
    expected: 'a number of minutes, 0 or more',
    isInRange: (minutes) => minutes >= 0,
  }),
  keep_checkpoints: integer({
    group: safety,
    help: 'Checkpoints to keep, the last one included; the best one is kept besides',
    default: 2,
    ...integersFrom(1, 100),
  }),
  time_limit: duration({
    group: safety,
    help: 'Stop in time, save, and exit with code 75; in a PBS or Slurm job its walltime counts by itself',
    defaultText: "the job's, if any",
  }),
  early_stopping: integer({
    group: safety,
    help: 'Stop after so many epochs without a lower validation loss; 0 is never',
    default: 0,
    ...integersFrom(0),
  }),
  nan: choice({
    group: safety,
    help: 'What a loss that is no finite number does: error stops the run; skip leaves that step out',
    choices: ['error', 'skip'],
    default: 'error',
  }),
  deterministic: flag({
    group: safety,
    help: 'The same seed gives the same files, bit for bit: GPU operations that are, the same threads after a resume, no timings in the CSV',
    default: false,
  }),
  wandb: flag({ group: run, help: 'Log to Weights & Biases', default: false }),
  config: optionalText({
    group: run,
    help: 'YAML file in which every other option can stand; the command line wins',
    type: 'file',
  }),
};

/** Everything that a training run was told. `root_dir`, `data_dir` and a file of `weights` are absolute paths. */
export type TrainConfig = ValuesOf<typeof trainOptions>;
