// The graph builder: x^2, summed, with its gradient.
//
//   node gradient.js

import { float32, Graph, gradients, mul, openRuntime, openSession, placeholder, sum } from 'deep-cnn/graph';

const graph = new Graph();
const x = placeholder(graph, 'x', 'float32', [3]);
const y = sum(mul(x, x));
const [dx] = gradients(y, [x]);
if (dx === undefined) throw new Error('there is one gradient for each of the tensors');

const session = await openSession(await openRuntime('cpu'), graph, { run: { inputs: { x }, outputs: { y, dx } } });
const outputs = session.run('run', { x: float32([1, 2, 3]) });
console.log(outputs['y']?.data, outputs['dx']?.data); // 14, and 2, 4, 6
session.dispose();
