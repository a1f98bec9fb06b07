// Operations: each takes a function from distances to the values of earlier nodes, and further arguments, and returns
// the width of its value z and the function that computes it.
const wide = (x) => (x instanceof Float32Array ? Float64Array.from(x) : x);
const fill = (z, f) => {
  for (let i = 0; i < z.length; i++) z[i] = f(i);
};
const unary = (f) => (of, a) => {
  const x = wide(of(a));
  return [x.length, (z) => fill(z, (i) => f(x[i]))];
};
// The steps p and q are 0 for an operand of one column. A loop of its own for each function is several times as fast.
const binary = (loop) => (of, a, b) => {
  const x = wide(of(a)), y = wide(of(b)), p = Math.min(x.length - 1, 1), q = Math.min(y.length - 1, 1);
  return [Math.max(x.length, y.length), (z) => loop(z, x, y, p, q)];
};

const OPERATIONS = [
  ...[Math.exp, Math.log, Math.sqrt, Math.tanh, Math.sin, Math.cos, Math.floor, Math.abs].map(unary),
  unary((x) => (x !== x ? 1 : 0)),
  unary(Math.fround),
  ...[
    (z, x, y, p, q) => { for (let i = 0; i < z.length; i++) z[i] = x[i * p] + y[i * q]; },
    (z, x, y, p, q) => { for (let i = 0; i < z.length; i++) z[i] = x[i * p] - y[i * q]; },
    (z, x, y, p, q) => { for (let i = 0; i < z.length; i++) z[i] = x[i * p] * y[i * q]; },
    (z, x, y, p, q) => { for (let i = 0; i < z.length; i++) z[i] = x[i * p] / y[i * q]; },
    (z, x, y, p, q) => { for (let i = 0; i < z.length; i++) z[i] = Math.min(x[i * p], y[i * q]); },
    (z, x, y, p, q) => { for (let i = 0; i < z.length; i++) z[i] = Math.max(x[i * p], y[i * q]); },
    (z, x, y, p, q) => { for (let i = 0; i < z.length; i++) z[i] = x[i * p] > y[i * q] ? 1 : 0; },
    (z, x, y, p, q) => { for (let i = 0; i < z.length; i++) z[i] = x[i * p] >= y[i * q] ? 1 : 0; },
  ].map(binary),
  function select(of, a, b, c) {
    const [condition, x, y] = [a, b, c].map((distance) => wide(of(distance)));
    const [o, p, q] = [condition, x, y].map((value) => Math.min(value.length - 1, 1));
    const width = Math.max(condition.length, x.length, y.length);
    return [width, (z) => fill(z, (i) => (condition[i * o] !== 0 ? x[i * p] : y[i * q]))];
  },
  function join(of, ...parts) {
    const all = parts.map(of);
    const compute = (z) => all.reduce((start, x) => (z.set(x, start), start + x.length), 0);
    return [all.reduce((width, x) => width + x.length, 0), compute];
  },
  function columns(of, a, ...runs) {
    const x = of(a), positions = Int32Array.from(ranges(runs));
    return [positions.length, (z) => fill(z, (i) => (positions[i] < 0 ? 0 : x[positions[i]]))];
  },
  function product(of, a, b, groups = 1) {
    const x = of(a), W = of(b), inputs = x.length / groups, outputs = W.length / x.length;
    return [groups * outputs, (z) => multiply(z, x, W, groups, inputs, outputs)];
  },
  function look_up(of, a, b, width) {
    const x = of(a), table = of(b);
    return [width, (z) => fill(z, (i) => table[x[0] * width + i])];
  },
  function count_up_to(of, a, b) {
    const x = of(a), edges = of(b);
    return [1, (z) => (z[0] = edges.reduce((count, edge) => count + (edge > x[0] ? 0 : 1), 0))];
  },
  function sum(of, a) {
    const x = of(a);
    return [1, (z) => (z[0] = x.reduce((total, value) => total + value, 0))];
  },
  function max(of, a) {
    const x = of(a);
    return [1, (z) => (z[0] = x.reduce((most, value) => Math.max(most, value), -Infinity))];
  },
  function sort(of, a, size) {
    const x = of(a);
    return [x.length, (z) => {
      z.set(x);
      for (let i = 0; i < z.length; i += size) z.subarray(i, i + size).sort();
    }];
  },
  function arg_max(of, a) {
    const x = of(a);
    const isMore = (value, most) => value > most || (value !== value && most === most);
    return [1, (z) => (z[0] = x.reduce((best, value, i) => (isMore(value, x[best]) ? i : best), 0))];
  },
  function smallest_sum(of, a, b, c, rank, ...sizes) {
    const shifts = of(a), scales = b && of(b), scores = of(c), sums = new Float64Array(scores.length);
    return [1, (z) => {
      let i = 0;
      sizes.forEach((size, g) => {
        for (const end = i + size; i < end; i++) sums[i] = shifts[g] + (scales ? scales[g] * scores[i] : scores[i]);
      });
      z[0] = smallest(sums, rank - 1);
    }];
  },
];

// Runs [start, step, count, ...] of numbers.
function ranges(runs) {
  const numbers = [];
  for (let i = 0; i < runs.length; i += 3) for (let k = 0; k < runs[i + 2]; k++) numbers.push(runs[i] + k * runs[i + 1]);
  return numbers;
}

// Four rows of the weights at a time: then z is read and written a quarter as often.
function multiply(z, x, W, groups, inputs, outputs) {
  z.fill(0);
  for (let g = 0, i = 0, k = 0; g < groups; g++) {
    const start = g * outputs, end = start + outputs, stop = i + inputs;
    for (; i + 3 < stop; i += 4, k += 3 * outputs) {
      const a = x[i], b = x[i + 1], c = x[i + 2], d = x[i + 3], l = k + outputs, m = l + outputs, n = m + outputs;
      for (let j = start, o = 0; j < end; j++, k++, o++) z[j] += a * W[k] + b * W[l + o] + c * W[m + o] + d * W[n + o];
    }
    for (; i < stop; i++) for (let j = start; j < end; j++, k++) z[j] += x[i] * W[k];
  }
}

// Hoare's selection: the number at `rank`, from 0, of the numbers in ascending order.
function smallest(x, rank) {
  for (let low = 0, high = x.length - 1; low < high; ) {
    const pivot = x[(low + high) >> 1];
    let i = low, j = high;
    while (i <= j) {
      while (x[i] < pivot) i++;
      while (x[j] > pivot) j--;
      if (i <= j) {
        const other = x[i];
        x[i++] = x[j];
        x[j--] = other;
      }
    }
    if (rank <= j) high = j;
    else if (rank >= i) low = i;
    else break;
  }
  return x[rank];
}

// The model: the value of each node, and the steps that compute them.
const constants = [
  floats(/*FLOAT32*/, Float32Array, "getFloat32"),
  floats(/*FLOAT64*/, Float64Array, "getFloat64"),
];
const values = [];
const inputValues = inputs.map((input, i) => new Float64Array(input.kind === "text" ? cells[i].size + 1 : 1));
const steps = program.nodes.map(step).filter(Boolean);

function run() {
  for (const compute of steps) compute();
}

function floats(base64, Type, get) {
  const bytes = atob(base64), view = new DataView(new ArrayBuffer(bytes.length));
  for (let i = 0; i < bytes.length; i++) view.setUint8(i, bytes.charCodeAt(i));
  return Type.from({ length: bytes.length / Type.BYTES_PER_ELEMENT }, (_, i) => view[get](i * Type.BYTES_PER_ELEMENT, true));
}

// Adds the value of a node, and returns the function that computes it; operations have the numbers of module.py.
function step([operation, n, ...rest]) {
  const at = values.length, of = (distance) => values[at - distance];
  if (operation < 2) {
    const all = constants[operation];
    constants[operation] = all.subarray(n);
    return void values.push(all.subarray(0, n));
  }
  if (operation === 2) return void values.push(inputValues[n]);
  const [width, compute] = OPERATIONS[operation - 3](of, n, ...rest);
  values.push(new Float64Array(width));
  return () => compute(values[at]);
}
