// Versions of an agent on the same input: how that is asked for, and their answers side by side.

import { options } from "./controls.js";
import { button, html, icon } from "./elements.js";
import { sentence } from "./line.js";
import { inFull, isolated, score } from "./text.js";

/**
 * Which version the current one is compared with; nothing where there is no other.
 * @param {import("./agent_box.js").AgentBox} box
 * @param {AgentDetailRow} detail
 * @param {AgentRow} row
 * @param {string} reason
 */
export function compareControls(box, detail, { current_version: current }, reason) {
  const others = detail.versions.filter(({ number }) => number !== current);
  if (!others.length) return null;
  const known = others.some(({ number }) => number === box.other),
    other = known ? box.other : detail.counterpart;
  const choices = others.map(
    (version) => /** @type {[number, string]} */ ([version.number, `version ${describeVersion(version)}`]),
  );
  return html`<div class="pw-ag-bar pw-ag-sends pw-ag-with">
    ${button({
      label: "Compare",
      glyph: "compare",
      title: `Send the same to version ${current} and version ${other}, each in a process of its own`,
      reason,
      f: `compare-${box.id}`,
      onclick: (pressed) => box.compare(Number(other), pressed),
    })}
    <label>
      <span>Version ${current} with</span>
      <select data-f=${`with-${box.id}`} @change=${(event) => box.choose(Number(event.currentTarget.value))}>
        ${options(choices, other)}
      </select>
    </label>
  </div>`;
}

/**
 * The number of a version, and the score that tells it from others.
 * @param {AgentVersion} version
 */
function describeVersion({ number, evaluation_score: evaluation, step }) {
  return `${number} (${evaluation === null ? `step ${inFull(step)}` : score(evaluation)})`;
}

/**
 * The answers of versions to the same input.
 * @param {ComparisonReply} reply
 */
export function comparedAnswers({ answers, alike }) {
  const failed = answers.some(({ problem }) => problem),
    verdict = alike ? "The answers are the same" : "The answers differ";
  return html`${
    failed
      ? null
      : html`<div class="pw-ag-outcome">${icon(alike ? "check" : "info")}<strong>${verdict}</strong></div>`
  }
    <div class="pw-ag-answers">${answers.map(versionAnswer)}</div>`;
}

/** @param {VersionAnswer} answer */
function versionAnswer(answer) {
  const { number, current, step, experiment, problem, text, seconds } = answer;
  const facts = [
    ["Evaluation Score", score(answer.evaluation_score)],
    ["Training Score", score(answer.training_score)],
    ["Checkpoint", `step ${inFull(step)} of ${isolated(experiment)}`],
    ["Time", problem ? "–" : answerTime(seconds)],
  ];
  return html`<div class="pw-ag-one" role="group" aria-label=${`Answer of version ${number}`}>
    <div class="pw-ag-versus">
      <h4>Version ${number}</h4>
      ${current ? html`<span class="pw-mark-word">Current</span>` : null}
    </div>
    <dl class="pw-ag-facts">${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    ${
      problem
        ? html`<div class="pw-ag-outcome pw-ag-bad">${icon("Failed")}<span>${sentence(problem)}</span></div>`
        : html`<pre class="pw-code pw-ag-answer" tabindex="0" aria-label="Answer">${text}</pre>`
    }
  </div>`;
}

/**
 * Say how long an answer took.
 * @param {number} seconds
 */
export function answerTime(seconds) {
  if (seconds >= 1) return `${seconds.toFixed(1)} s`;
  return `${seconds < 0.1 ? (seconds * 1000).toFixed(1) : Math.round(seconds * 1000)} ms`;
}
