// A folder of TensorFlow.js, read as tf.loadGraphModel would fetch it over HTTP.
const fs = require("node:fs");
const path = require("node:path");

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

module.exports = { artefacts };
