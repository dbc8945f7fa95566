// Runs a TensorFlow.js graph model on one tensor: folder as argument, JSON in and out.
const fs = require("fs");
const path = require("path");
const tf = require("@tensorflow/tfjs");

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

function artefacts(folder) {
  const described = JSON.parse(fs.readFileSync(path.join(folder, "model.json")));
  const files = described.weightsManifest.flatMap((group) => group.paths);
  const bytes = Buffer.concat(files.map((file) => fs.readFileSync(path.join(folder, file))));
  return {
    modelTopology: described.modelTopology,
    signature: described.signature,
    format: described.format,
    weightSpecs: described.weightsManifest.flatMap((group) => group.weights),
    weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
  };
}

main();
