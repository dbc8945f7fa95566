// Runs a TensorFlow.js graph model on one tensor: folder as argument, JSON in and out.
const fs = require("fs");
const tf = require("@tensorflow/tfjs");
const { artefacts } = require("../../benchmarks/tfjs_folder.cjs");

async function main() {
  const folder = process.argv[2];
  const order = JSON.parse(fs.readFileSync(0, "utf8"));
  const model = await tf.loadGraphModel({ load: async () => artefacts(folder) });
  // Pixels are int32, as tf.browser.fromPixels gives them.
  const dtype = order.dtype === "uint8" ? "int32" : order.dtype;
  const output = model.predict(tf.tensor(order.values, order.shape, dtype));
  const reply = { shape: output.shape, values: Array.from(output.dataSync()) };
  process.stdout.write(JSON.stringify(reply));
}

main();
