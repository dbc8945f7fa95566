// A contender's process in node: what worker.py is in Python, and it answers the same orders.
//
// The order's factory is the name of a backend of TensorFlow.js, its task a FileTask: a folder of
// export_tfjs, and pixels (N, H, W, channels), uint8, as a .npy file.
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const readline = require("node:readline");
const { artefacts } = require("./tfjs_folder.cjs");

async function main() {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const { task, libraries, factory, seconds } = JSON.parse((await lines.next()).value);
  pin(task.cpus);
  const missing = libraries.filter((name) => !isInstalled(name));
  if (missing.length) return answer({ missing });
  const call = await built(task, factory);
  answer({ output: call(), versions: versions(libraries) });
  for await (const _ of lines) answer(timeCalls(call, seconds, task.threads));
}

// All threads of this process: node has started some, and cannot pin itself.
function pin(cpus) {
  const pid = String(process.pid);
  execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", cpus.join(","), pid]);
}

function isInstalled(name) {
  try {
    return Boolean(require.resolve(name));
  } catch {
    return false;
  }
}

function versions(libraries) {
  const found = libraries.map((name) => [name, require(`${name}/package.json`).version]);
  return { ...Object.fromEntries(found), node: process.versions.node };
}

// A function that runs all images, a batch at a time, and returns logits, N rows of K.
async function built(task, backend) {
  const { shape, values } = readPixels(task.images);
  const [count, ...image] = shape;
  const tf = require("@tensorflow/tfjs");
  await tf.setBackend(backend);
  const model = await tf.loadGraphModel({ load: async () => artefacts(task.model) });
  const size = image.reduce((product, length) => product * length, 1);
  const run = (start) => {
    const end = Math.min(start + task.batch, count);
    // Pixels are int32, as tf.browser.fromPixels gives them.
    const pixels = values.subarray(start * size, end * size);
    return model.predict(tf.tensor(pixels, [end - start, ...image], "int32")).arraySync();
  };
  const starts = Array.from({ length: Math.ceil(count / task.batch) }, (_, i) => i * task.batch);
  return () => starts.flatMap((start) => tf.tidy(() => run(start)));
}

// What numpy.save wrote: magic and version, 8 bytes; length of the header, 2 bytes; header; values.
function readPixels(file) {
  const bytes = fs.readFileSync(file);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString("latin1", 10, start);
  if (!/'descr': '\|u1', 'fortran_order': False/.test(header)) throw new Error(`not uint8: ${header}`);
  const shape = header.match(/'shape': \(([\d, ]+)\)/)[1].match(/\d+/g).map(Number);
  return { shape, values: new Uint8Array(bytes.subarray(start)) };
}

// As time_calls of rounds.py.
function timeCalls(call, seconds, threads) {
  call(); // refills the caches that the last contender used
  const times = [];
  const cpuStart = process.cpuUsage();
  const start = performance.now();
  while (performance.now() - start < 1000 * seconds) {
    const before = performance.now();
    call();
    times.push(performance.now() - before);
  }
  const wall = performance.now() - start;
  const cpu = process.cpuUsage(cpuStart); // microseconds
  const share = (cpu.user + cpu.system) / (1000 * wall * threads);
  return { milliseconds: median(times), calls: times.length, cpu_share: share };
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function answer(content) {
  process.stdout.write(JSON.stringify(content) + "\n");
}

console.log = console.error; // standard output is for answers
main();
