// What a form of a stage begins with, and the gate that it sends.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  attachWords,
  BETTER,
  draftGate,
  draftRetries,
  stageDraft,
} from "../../pipeline_widgets/widgets/static/stage_draft.js";

/**
 * @param {number} id
 * @param {Partial<ExperimentOption>} [more]
 * @returns {ExperimentOption}
 */
const option = (id, more) => ({
  id,
  name: `e${id}`,
  algorithm: "SFT",
  fits: true,
  reason: "",
  role: "",
  ran: false,
  used_by: null,
  start: null,
  ...more,
});

/**
 * @param {StageSettings | null} settings
 * @param {ExperimentOption[]} experiments
 */
const draft = (settings, experiments = []) =>
  stageDraft(/** @type {StageFormData} */ ({ settings, experiments }));

test("a new stage begins with an experiment that fits, is free and has not run", () => {
  const used = option(1, { used_by: 2 });
  assert.equal(draft(null, [used, option(2, { ran: true }), option(3)]).experiment, 3);
  assert.equal(draft(null, [used, option(2, { ran: true })]).experiment, 2);
  assert.equal(draft(null, [option(9, { fits: false }), used]).experiment, 1);
  assert.equal(draft(null).experiment, null);
});

test("a stage that is edited begins with its settings", () => {
  const known = draft({
    kind: "experiment",
    trigger: "auto",
    gate: 0.5,
    experiment: 4,
    start: 120,
    auto_add_agent: true,
  });
  const { kind, trigger, gate, score, experiment, choice, autoAdd } = known;
  assert.deepEqual(
    { kind, trigger, gate, score, experiment, choice, autoAdd },
    {
      kind: "experiment",
      trigger: "auto",
      gate: "score",
      score: "0.5",
      experiment: 4,
      choice: 120,
      autoAdd: true,
    },
  );
});

test("a gate is sent as a number, or as an empty text where none was typed", () => {
  assert.equal(draftGate({ gate: "none", score: "1" }), null);
  assert.equal(draftGate({ gate: BETTER, score: "" }), BETTER);
  assert.equal(draftGate({ gate: "score", score: " 0.9 " }), 0.9);
  assert.equal(draftGate({ gate: "score", score: "" }), "");
  assert.equal(draftGate({ gate: "score", score: "1e999" }), "");
});

test("an experiment of another stage is copied; one that has run may be attached as it is", () => {
  assert.match(attachWords(option(1, { used_by: 2 }))[0], /is already used by stage 2/);
  assert.match(attachWords(option(1, { ran: true }))[1], /Attached as is/);
});

test("retries are sent as a number, and what is none as it was typed", () => {
  assert.equal(draftRetries(" 2 "), 2);
  assert.equal(draftRetries(""), 0);
  assert.equal(draftRetries("often"), "often");
  assert.equal(draft({ kind: "experiment", trigger: "manual", gate: null, retries: 3 }).retries, "3");
  assert.equal(draft(null).retries, "0");
});
