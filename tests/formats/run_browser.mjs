// Runs examples/browser/classify.js in node: path of classify.js and of a model, JSON in and out.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { artefacts } from "../../benchmarks/tfjs_folder.cjs";

const [script, folder] = process.argv.slice(2);
const tf = createRequire(import.meta.url)("@tensorflow/tfjs");
const { openModel } = await import(pathToFileURL(path.resolve(script)));
const order = JSON.parse(fs.readFileSync(0, "utf8"));
const picture = { ...order.picture, data: Uint8ClampedArray.from(order.picture.data) };
const model = await openModel(tf, { load: async () => artefacts(folder) }, order.labels);
const { size, channels } = model;
process.stdout.write(JSON.stringify({ size, channels, classes: model.classify(picture) }));
