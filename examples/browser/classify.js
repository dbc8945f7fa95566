// Picture in, classes out: what index.html needs of a model that `keras_mlp.formats` converted.

// Pixels of an ImageData (or anything with data, RGBA, width and height) as the model takes them:
// an int32 tensor (1, height, width, channels), grey by luma as in JPEG files.
export function toPixels(tf, picture, channels) {
  const { data, width, height } = picture;
  if (channels !== 1 && channels !== 3) {
    throw new Error(`The model takes ${channels} channels; this page has pictures of 1 or 3.`);
  }
  const values = new Int32Array(width * height * channels);
  for (let at = 0; at < width * height; at++) {
    const rgb = data.subarray(4 * at, 4 * at + 3);
    if (channels === 3) values.set(rgb, 3 * at);
    else values[at] = Math.round(0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]);
  }
  return tf.tensor(values, [1, height, width, channels], "int32");
}

// The k most probable classes, best first: [{ label, probability }, ...].
export function best(logits, labels, k = 3) {
  const highest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers
    .map((power, at) => ({ label: labels[at] ?? `class ${at}`, probability: power / sum }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, k);
}

// Names of classes from labels.txt, one a line; none where there is no such file.
export async function readLabels(address) {
  const reply = await fetch(address);
  return reply.ok ? (await reply.text()).trim().split("\n") : [];
}

// { size: [height, width], channels, classify(picture) }, for a folder with model.json.
export async function openModel(tf, folder, labels) {
  const model = await tf.loadGraphModel(folder);
  const [, height, width, channels] = model.inputs[0].shape;
  const classify = (picture) => {
    const logits = tf.tidy(() => model.predict(toPixels(tf, picture, channels)).dataSync());
    return best(logits, labels);
  };
  return { size: [height, width], channels, classify };
}
