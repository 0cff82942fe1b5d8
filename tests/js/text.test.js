// Numbers, names, sizes and times as people read them.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  alignedScores,
  asSentence,
  bytes,
  count,
  duration,
  inFull,
  isolated,
  metricName,
  peakUse,
  remaining,
  score,
  scores,
} from "../../pipeline_widgets/widgets/static/text.js";

test("a whole number has separators, also one that JavaScript cannot hold exactly", () => {
  assert.equal(inFull(1234567), "1,234,567");
  assert.equal(inFull("9007199254740993"), "9,007,199,254,740,993");
});

test("a noun is in the plural but for one", () => {
  assert.equal(count(1, "run"), "1 run");
  assert.equal(count(0, "run"), "0 runs");
  assert.equal(count(2, "stage is", "stages are"), "2 stages are");
});

test("a score has few digits, a true minus, and N/A where there is none", () => {
  assert.equal(score(null), "N/A");
  assert.equal(score(undefined), "N/A");
  assert.equal(score(0.123456), "0.1235");
  assert.equal(score(-2.5), "\u22122.5");
  assert.equal(score(0), "0");
  assert.equal(score(1234567), "1.23e+6");
  assert.equal(score(0.00012), "1.20e-4");
});

test("the scores of a column have as many digits after the point as the longest of them", () => {
  const write = scores([1, 0.25, null]);
  assert.deepEqual([1, 0.25, null].map(write), ["1.00", "0.25", "N/A"]);
  assert.equal(scores([1e-9])(1e-9), "1.00e-9");
});

test("a size has three digits and the unit that fits", () => {
  assert.deepEqual([0, 999, 1000, 1_234_567, 5e12].map(bytes), [
    "0 B",
    "999 B",
    "1.00 kB",
    "1.23 MB",
    "5.00 TB",
  ]);
});

test("a duration names its two largest units", () => {
  assert.deepEqual([0.4, 59, 60, 3599, 3600, 90_000].map(duration), [
    "less than 1 s",
    "59 s",
    "1 min",
    "59 min 59 s",
    "1 h",
    "1 d 1 h",
  ]);
});

test("the time that is left is no more exact than a guess", () => {
  assert.deepEqual([0.2, 59, 61, 3600, 5 * 3600 + 60, 11 * 3600, 72 * 3600].map(remaining), [
    "1 s left",
    "59 s left",
    "1 min left",
    "1 h left",
    "5 h 1 min left",
    "11 h left",
    "3 d left",
  ]);
});

test("a name that could turn the words around it is isolated, and any other stays as it is", () => {
  assert.equal(isolated("sft"), "sft");
  assert.equal(isolated("\u05d0"), "\u2068\u05d0\u2069");
  assert.equal(isolated("\u202eevil"), "\u2068\u202eevil\u2069");
});

test("isolates within a name are closed, and it closes none of what stands around", () => {
  assert.equal(isolated("a\u2067b"), "\u2068a\u2067b\u2069\u2069");
  assert.equal(isolated("\u2069\u05d0"), "\u2068\u05d0\u2069");
});

test("a reason becomes a sentence: a capital letter first, and a full stop unless another mark ends it", () => {
  assert.deepEqual(["its source was run again", "Stop it first.", "really?"].map(asSentence), [
    "Its source was run again.",
    "Stop it first.",
    "Really?",
  ]);
});

test("a known metric has a name for people, and any other its own, also one that objects have", () => {
  assert.equal(metricName("training_score"), "Training score");
  assert.equal(metricName("loss"), "loss");
  assert.equal(metricName("toString"), "toString");
});

test("what a run has used at most is said with its units, and nothing without a sample", () => {
  const none = { peak_cpu: null, peak_memory: null, peak_gpu_memory: null };
  assert.equal(peakUse(none), null);
  assert.equal(peakUse({ ...none, peak_cpu: 0.97, peak_memory: 412e6 }), "1.0 CPU, 412 MB of memory");
  assert.equal(
    peakUse({ peak_cpu: 3.42, peak_memory: 1.5e9, peak_gpu_memory: 20e9 }),
    "3.4 CPUs, 1.50 GB of memory, 20.0 GB on GPUs",
  );
});

test("scores of unlike things stand point below point, without digits that nobody measured", () => {
  const say = alignedScores([0.53, 0.513, 7, null, 1e-9, 120.5]);
  assert.equal(say(0.513), "0.513");
  assert.equal(say(0.53), "0.53\u2007");
  assert.equal(say(7), "7\u2008\u2007\u2007\u2007");
  assert.equal(say(120.5), "120.5\u2007\u2007");
  assert.equal(say(null), "N/A");
  assert.equal(say(1e-9), "1.00e-9");
  assert.equal(alignedScores([])(1), "1");
});
