// What a run has shown, one step at a time: samples, images and videos, with a slider over the steps. Only
// what is in sight is fetched.

import { button, draw, html, make, unique } from "./elements.js";
import { sentence } from "./line.js";
import { ShownMedia, shownSamples } from "./shown_media.js";
import { count, inFull } from "./text.js";
import { live, repeat } from "./vendor/lit.js";

const SHOWN_LATEST = -1; // the place of the last step

export class ShownItems {
  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.slider = unique("step");
    /** @type {ShownSummary | null} */
    this.summary = null;
    /** @type {ShownStep | null} */
    this.step = null;
    /** @type {ShownItem[]} */
    this.items = [];
    this.wanted = SHOWN_LATEST;
    this.reading = this.again = false;
    this.error = "";
    /** @type {Map<number, ShownMedia>} */
    this.media = new Map();
    /** @type {Set<string>} */
    this.playing = new Set(); // what plays, whichever step is shown
    this.el = make(html`<div class="pw-shown" role="group"></div>`);
  }

  /** What they are, as a title. */
  get title() {
    return this.summary?.title ?? "";
  }

  /**
   * Show how much there is by now. Whoever looks at the last step goes along with what comes.
   * @param {ShownSummary | null} summary
   */
  show(summary) {
    const before = this.summary;
    this.summary = summary?.items ? summary : null;
    if (summary?.id !== before?.id) {
      Object.assign(this, { step: null, items: [], wanted: SHOWN_LATEST, error: "" });
      this.playing.clear();
    }
    if (this.summary && (this.summary.id !== before?.id || this.summary.items !== before.items)) {
      const atEnd = !this.step || this.step.at === this.step.steps - 1;
      if (this.step) this.step = { ...this.step, steps: this.summary.steps };
      if (atEnd) this.go(SHOWN_LATEST);
    }
    this.draw();
    return this.el;
  }

  /**
   * Go to a step by its place; while one is read, the last one that was asked for is read next.
   * @param {number} at
   */
  async go(at) {
    this.wanted = at;
    this.again = true;
    if (this.reading) return;
    this.reading = true;
    while (this.again && this.summary && !this.frame.gone) {
      this.again = false;
      const { id } = this.summary;
      try {
        const { step, items } = await this.frame.line.ask("shown", { run: id, at: this.wanted });
        if (id === this.summary?.id) Object.assign(this, { step, items, error: "" });
        if (this.again) this.draw();
      } catch (error) {
        this.error = sentence(error);
      }
    }
    this.reading = false;
    if (!this.frame.gone) this.draw();
  }

  draw() {
    const { summary, step, items, error } = this;
    this.settle();
    this.el.hidden = !summary;
    this.el.setAttribute("aria-label", this.title || "Samples");
    const more = step?.more ? `${count(step.more, "more item")} at this step: run.shown_items has them.` : "";
    const full = summary?.full ? "The run had no room for more than these." : "";
    draw(
      this.el,
      summary
        ? html`${step ? this.bar(step) : null}
            <p class="pw-shown-error" role="status" ?hidden=${!error}>${error}</p>
            <p class="pw-soft" ?hidden=${!!step || !!error}>Loading…</p>
            <div class="pw-shown-items">${repeat(
              items,
              ({ id }) => id,
              (item) => (item.kind === "samples" ? shownSamples(item) : this.media.get(item.id)?.el),
            )}</div>
            <p class="pw-hint" ?hidden=${!more && !full}>${more} ${full}</p>`
        : null,
    );
  }

  /** @param {ShownStep} step */
  bar(step) {
    const wanted = this.reading ? this.wanted : step.at;
    return stepBar({ step, name: this.slider, wanted, go: (at) => this.go(at) });
  }

  /** Have what is shown now, and no files of other steps. */
  settle() {
    const shown = new Set(this.items.map(({ id }) => id));
    for (const [id, media] of this.media)
      if (!shown.has(id)) {
        media.end();
        this.media.delete(id);
      }
    this.items.forEach((item, at) => {
      if (item.kind === "samples" || this.media.has(item.id)) return;
      const key = `${item.seed ?? item.prompt ?? at}`;
      const onplay = (/** @type {boolean} */ on) =>
        void (on ? this.playing.add(key) : this.playing.delete(key));
      this.media.set(item.id, new ShownMedia(this.frame, item, { playing: this.playing.has(key), onplay }));
    });
  }
}

/**
 * A slider over the steps: arrow keys go a step, Page Up and Page Down some, Home and End to the ends.
 * `wanted` is the place that was asked for, while that is read.
 * @param {{ step: ShownStep, name: string, wanted: number, go: (at: number) => unknown }} bar
 */
export function stepBar({ step, name, wanted, go }) {
  const { at, steps } = step,
    value = wanted >= 0 ? wanted : at,
    place = `${inFull(at + 1)} of ${inFull(steps)}`;
  return html`<div class="pw-shown-bar">
    <label for=${name}>Step</label>
    <input type="range" id=${name} min="0" max=${steps - 1} step="1"
      .value=${live(String(value))} data-f=${name} ?disabled=${steps < 2}
      aria-valuetext=${`Step ${inFull(step.step)}, ${place}`}
      @input=${(event) => go(Number(event.currentTarget.value))} />
    <output for=${name} class="pw-shown-step">${inFull(step.step)}</output>
    <span class="pw-soft pw-shown-place">${place}</span>
    ${
      at < steps - 1
        ? button({ label: "Latest", glyph: "after", f: `${name}-latest`, onclick: () => go(SHOWN_LATEST) })
        : null
    }
  </div>`;
}
