// Examples of using an export, as Markdown.

import type { FormatName } from './formats.js';
import type { InputKind } from './network.js';

interface Facts {
  model: string;
  crop: number;
  classes: number;
  input: InputKind;
}

/** A few lines in the language of those who use the format. `labels.txt` lies beside the network. */
export function howToLoad(format: FormatName, facts: Facts): string {
  const { language, lines } = examples[format](facts);
  return `\`\`\`${language}\n${lines.join('\n')}\n\`\`\`\n\nLine i of \`labels.txt\`, counted from 0, is the class of probability i.`;
}

const examples: Readonly<Record<FormatName, (facts: Facts) => { language: string; lines: readonly string[] }>> = {
  tfjs: ({ crop, input }) => ({
    language: 'js',
    lines: [
      "const model = await tf.loadGraphModel('model.json');",
      input === 'bytes'
        ? `const pixels = tf.browser.fromPixels(image).expandDims(); // int32 [1, ${crop}, ${crop}, 3], 0 to 255`
        : `const pixels = normalised; // float32 [1, ${crop}, ${crop}, 3]`,
      'const probabilities = await model.predict(pixels).data();',
      'model.metadata.classes; // their names',
      '// Or open index.html from a web server, such as `python3 -m http.server` in this folder.',
    ],
  }),
  savedmodel: ({ crop, input }) => ({
    language: 'python',
    lines: [
      'import tensorflow as tf',
      '',
      'network = tf.saved_model.load(".").signatures["serving_default"]',
      `# pixels: ${input === 'bytes' ? 'uint8' : 'normalised, float32'} [N, ${crop}, ${crop}, 3]`,
      'probabilities = network(pixels=tf.constant(pixels))["probabilities"]',
    ],
  }),
  onnx: ({ crop, input }) => ({
    language: 'python',
    lines: [
      'import onnxruntime',
      '',
      'session = onnxruntime.InferenceSession("model.onnx")',
      input === 'bytes'
        ? `# pixels: uint8 [N, ${crop}, ${crop}, 3]`
        : `# pixels: normalised, float32 [N, 3, ${crop}, ${crop}]`,
      '(probabilities,) = session.run(["probabilities"], {"pixels": pixels})',
    ],
  }),
  safetensors: ({ model, classes }) => ({
    language: 'python',
    lines: model.startsWith('efficientnet_lite')
      ? [
          '# torchvision has no EfficientNet-Lite; the names are those of this file.',
          'from safetensors.torch import load_file',
          '',
          'weights = load_file("model.safetensors")',
        ]
      : [
          'import torchvision',
          'from safetensors.torch import load_file',
          '',
          `model = torchvision.models.${model}(num_classes=${classes}${constructorOptions(model)})`,
          'weights = load_file("model.safetensors")',
          ...(model.startsWith('mnasnet')
            ? [
                'from collections import OrderedDict',
                'weights = OrderedDict(weights)',
                'weights._metadata = {"": {"version": 2}}  # which torchvision insists on',
              ]
            : []),
          'model.load_state_dict(weights)',
          'model.eval()',
        ],
  }),
};

const constructorOptions = (model: string) =>
  model === 'googlenet' || model === 'inception_v3' ? ', aux_logits=False, init_weights=False' : '';
