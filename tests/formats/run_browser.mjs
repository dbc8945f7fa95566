// Runs examples/browser/classify.js in node: path of classify.js and of a model, JSON in and out.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [script, folder] = process.argv.slice(2);
const tf = createRequire(import.meta.url)("@tensorflow/tfjs");
const { openModel } = await import(pathToFileURL(path.resolve(script)));
const order = JSON.parse(fs.readFileSync(0, "utf8"));
const picture = { ...order.picture, data: Uint8ClampedArray.from(order.picture.data) };
const model = await openModel(tf, { load: async () => artefacts(folder) }, order.labels);
const { size, channels } = model;
process.stdout.write(JSON.stringify({ size, channels, classes: model.classify(picture) }));

// What tf.loadGraphModel would fetch over HTTP.
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
