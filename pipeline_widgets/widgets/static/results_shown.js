// What two runs have shown, side by side on the same prompt or seed.

import { check, checkBox, options } from "./controls.js";
import { draw, html, make, unique } from "./elements.js";
import { sentence } from "./line.js";
import { runName } from "./results_charts.js";
import { stepBar } from "./shown_items.js";
import { ShownMedia } from "./shown_media.js";
import { capital, count, inFull, score } from "./text.js";

const SIDES = /** @type {("left" | "right")[]} */ (["left", "right"]);

export class ResultShown {
  /** @param {import("./results.js").ResultsPanel} panel */
  constructor(panel) {
    this.panel = panel;
    this.frame = panel.frame;
    this.model = panel.model;
    this.sliders = { left: unique("left"), right: unique("right") };
    this.together = checkBox(true);
    this.together.dataset.f = "shown-together";
    /** The runs that were chosen; the first ones by default. */
    this.chosen = { left: 0, right: 0 };
    this.at = { left: -1, right: -1 };
    this.known = "";
    /** @type {ShownComparison | null} */
    this.found = null;
    this.reading = this.again = false;
    this.error = "";
    /** @type {"" | "left" | "right"} */
    this.follows = "";
    /** @type {Map<string, ShownMedia>} */
    this.media = new Map();
    this.el = make(html`<div class="pw-results-part" role="group" aria-label="Samples side by side"></div>`);
  }

  /** The runs that have shown anything, those in the charts first. */
  get runs() {
    const shown = new Map(this.model.get("shown").map((each) => [each.id, each]));
    const runs = this.model.get("runs").filter(({ id }) => shown.has(id));
    return [...runs.filter((run) => run.drawn), ...runs.filter((run) => !run.drawn)];
  }

  /** What they are. */
  get title() {
    const { left, right } = this.chosen;
    const titles = this.model.get("shown").filter(({ id }) => id === left || id === right);
    return titles[0]?.title ?? "Samples";
  }

  show() {
    const { runs, chosen } = this,
      ids = new Set(runs.map(({ id }) => id));
    this.el.hidden = !runs.length;
    const first = runs.slice(0, 2).sort((one, other) => one.id - other.id); // the earlier one on the left
    if (!ids.has(chosen.left)) chosen.left = first.find(({ id }) => id !== chosen.right)?.id ?? 0;
    if (!ids.has(chosen.right)) chosen.right = first.find(({ id }) => id !== chosen.left)?.id ?? 0;
    const items = new Map(this.model.get("shown").map((each) => [each.id, each.items]));
    const known = JSON.stringify(SIDES.map((side) => [chosen[side], items.get(chosen[side])]));
    if (runs.length && known !== this.known) this.renew();
    this.known = known;
    this.draw();
  }

  /** Something new was shown: whoever looks at the last step goes along. */
  renew() {
    const before = this.found;
    for (const side of SIDES) {
      const was = before?.[side];
      if (!was || was.run !== this.chosen[side] || was.at === was.steps - 1) this.at[side] = -1;
    }
    this.follows = "";
    this.read();
  }

  async read() {
    if (this.reading) {
      this.again = true;
      return;
    }
    this.reading = true;
    do {
      this.again = false;
      const { chosen, at, follows } = this;
      const asked = { ...chosen, left_at: at.left, right_at: at.right, follows };
      try {
        this.found = await this.frame.line.ask("compare_shown", asked);
        this.error = "";
      } catch (error) {
        this.error = sentence(error);
      }
      if (this.frame.gone) return;
    } while (this.again);
    this.reading = false;
    for (const side of SIDES) this.at[side] = this.found?.[side]?.at ?? -1;
    this.draw();
  }

  /**
   * @param {"left" | "right"} side
   * @param {number} at
   */
  go(side, at) {
    this.at[side] = at;
    this.follows = this.together.checked ? (side === "left" ? "right" : "left") : "";
    this.read();
  }

  draw() {
    const { found, runs, error } = this;
    if (!runs.length) return draw(this.el, null);
    const note = found && !error ? this.note(found) : "";
    draw(
      this.el,
      html`<div class="pw-results-bar">
          <h3>${this.title}</h3>
          ${runs.length > 1 ? check(this.together, "Move together") : null}
        </div>
        <div class="pw-shown-sides">${SIDES.map((side) => this.side(side))}</div>
        <p class="pw-shown-error" role="status" ?hidden=${!error}>${error}</p>
        <p class="pw-hint" role="status" ?hidden=${!note}>${note}</p>
        ${found?.pairs.length ? this.table(found) : null}`,
    );
  }

  /**
   * Which run stands on a side, and at which step.
   * @param {"left" | "right"} side
   */
  side(side) {
    const { runs, chosen, found } = this,
      step = found?.[side] ?? null;
    const names = runs.map((run) => /** @type {[number, string]} */ ([run.id, runName(run)]));
    if (!chosen[side]) return html`<p class="pw-soft">No other run here has shown anything.</p>`;
    return html`<div class="pw-shown-side" role="group" aria-label=${`${capital(side)} run`}>
      <select aria-label=${`${capital(side)} run`} data-f=${`shown-${side}`}
        @change=${(event) => this.choose(side, Number(event.currentTarget.value))}
      >${options(names, chosen[side])}</select>
      ${step ? this.bar(side, step) : null}
    </div>`;
  }

  /**
   * @param {"left" | "right"} side
   * @param {ShownStep} step
   */
  bar(side, step) {
    const go = (/** @type {number} */ at) => this.go(side, at);
    return stepBar({ step, name: this.sliders[side], wanted: this.at[side], go });
  }

  /**
   * @param {"left" | "right"} side
   * @param {number} run
   */
  choose(side, run) {
    this.chosen[side] = run;
    this.at[side] = -1;
    this.known = "";
    this.show();
  }

  /**
   * Say what matches, and what does not.
   * @param {ShownComparison} found
   */
  note({ left, right, matched, more, pairs }) {
    if (!left || !right) return "";
    const [ours, theirs] = SIDES.map((side) => this.panel.run(this.chosen[side])).map(
      (run, at) => `${run ? runName(run) : "?"} at step ${inFull([left, right][at].step)}`,
    );
    const cut = more ? ` ${count(more, "more row")}: run.compare_shown() has them.` : "";
    if (!matched) return `No prompt or seed of ${ours} is among those of ${theirs}.${cut}`;
    const alone = pairs.length - matched;
    return `${count(matched, "prompt or seed", "prompts or seeds")} of both runs${
      alone ? `, then ${alone} of only one` : ""
    }.${cut}`;
  }

  /**
   * Play what stands beside it as well: both from the beginning, so that one can compare.
   * @param {string} place
   * @param {boolean} playing
   */
  play(place, playing) {
    const [side, row] = place.split("-"),
      other = `${side === "left" ? "right" : "left"}-${row} `;
    for (const [key, media] of this.media)
      if (key.startsWith(other) && media.playing !== playing) media.play(playing);
      else if (key.startsWith(`${place} `) && playing) media.rewind();
  }

  /** @param {ShownComparison} found */
  table({ pairs, left, right }) {
    const shown = new Set();
    const head = (/** @type {"left" | "right"} */ side, /** @type {ShownStep | null} */ step) => {
      const run = this.panel.run(this.chosen[side]),
        at = step ? `, step ${inFull(step.step)}` : "";
      return html`<th scope="col">${run ? runName(run) : ""}${at}</th>`;
    };
    const rows = pairs.map((pair, row) => {
      const cells = SIDES.map((side) => this.cell(pair[side], `${side}-${row}`, shown));
      return html`<tr class=${pair.left && pair.right ? "" : "pw-shown-alone"}>
        <th scope="row" class="pw-shown-text" dir="auto">${pair.label}</th>${cells}
      </tr>`;
    });
    for (const [key, media] of this.media)
      if (!shown.has(key)) {
        media.end();
        this.media.delete(key);
      }
    return html`<div class="pw-scroll pw-shown-pairs" tabindex="0" role="group" aria-label="Side by side">
      <table class="pw-table">
        <caption class="pw-hidden">What two runs have shown, by prompt or seed</caption>
        <thead><tr>
          <th scope="col">Prompt or seed</th>${head("left", left)}${head("right", right)}
        </tr></thead>
        <tbody>${rows}</tbody>
      </table>
    </div>`;
  }

  /**
   * @param {ShownCell | null} cell
   * @param {string} place
   * @param {Set<unknown>} shown
   */
  cell(cell, place, shown) {
    if (!cell) return html`<td class="pw-soft">Not shown</td>`;
    const { item, sample } = cell;
    if (sample) {
      const { output, score: scored, reference } = sample;
      return html`<td class="pw-shown-text" dir="auto">${output}
        <span class="pw-soft pw-shown-score" ?hidden=${scored === null && reference === null}>${[
          scored === null ? "" : `score ${score(scored)}`,
          reference === null ? "" : `reference ${reference}`,
        ]
          .filter(Boolean)
          .join(", ")}</span></td>`;
    }
    const key = `${place} ${item.id}`;
    shown.add(key);
    const known =
      this.media.get(key) ??
      new ShownMedia(this.frame, item, { isNamed: true, onplay: (playing) => this.play(place, playing) });
    this.media.set(key, known);
    return html`<td>${known.el}</td>`;
  }
}
