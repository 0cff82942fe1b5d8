// The whole log of a run, in parts: read, searched, by time, and saved. Of a long one a few parts are held.

import { options, searchInput, textInput } from "./controls.js";
import { openDialog } from "./dialogs.js";
import { button, draw, html, make } from "./elements.js";
import { saveBlob } from "./files.js";
import { sentence } from "./line.js";
import { LogSearch } from "./log_search.js";
import { bytes } from "./text.js";
import { nothing, repeat } from "./vendor/lit.js";

const PARTS_HELD = 4; // of a log, of 64 kB each
const NEAR = 400; // px from an end at which the next part is asked for
const TAILED_EVERY = 2000; // ms between two looks at the end of a log that grows
const UNTIMED = "When these lines were written was not recorded.";
const GROWS = new Set(["Pending", "Running", "Stopping"]);

/**
 * The button that opens the whole log of a run.
 * @param {Frame} frame
 * @param {{ id: number } | null | undefined} run
 * @param {string} [f]
 */
export const logButton = (frame, run, f = "log") =>
  button({
    label: "Open log",
    glyph: "search",
    f,
    onclick: () => run && openLog(frame, run.id),
  });

/**
 * Open the whole log of a run.
 * @param {Frame} frame
 * @param {number} run
 */
export const openLog = (frame, run) => new LogDialog(frame, run);

class LogDialog {
  /**
   * @param {Frame} frame
   * @param {number} run
   */
  constructor(frame, run) {
    this.frame = frame;
    this.run = run;
    /** @type {LoggedRun[]} */
    this.runs = [];
    /** @type {LogPart[]} */
    this.parts = [];
    /** @type {WeakMap<LogPart, { el: El, text: string, current: number }>} */
    this.drawn = new WeakMap();
    this.asking = false;
    this.round = 0; // of places that were asked for: what comes late is not shown
    this.saved = "";
    this.wrong = "";
    this.search = new LogSearch(frame, searchInput("Search log"), {
      run: () => this.run,
      show: (at) => this.goTo(at),
      changed: () => this.draw(),
    });
    this.moment = textInput("", { type: "datetime-local", step: "1", "aria-label": "Go to time" });
    this.moment.addEventListener("change", () => this.goToTime());
    this.lines = make(html`<div class="pw-log-lines" tabindex="0" role="group" aria-label="Log"></div>`);
    this.lines.addEventListener("scroll", () => this.scrolled());
    this.body = make(html`<div class="pw-log"></div>`);
    this.dialog = openDialog({
      frame,
      title: "Log",
      wide: true,
      kind: "pw-log-dialog",
      cancel: "Close",
      body: this.body,
      onclose: () => this.end(),
    });
    this.timer = window.setInterval(() => this.tail(), TAILED_EVERY);
    this.choose(run);
  }

  end() {
    clearInterval(this.timer);
    this.search.end();
  }

  get first() {
    return this.parts[0];
  }

  get last() {
    return this.parts[this.parts.length - 1];
  }

  /** @param {number} run */
  async choose(run) {
    this.run = run;
    this.search.clear();
    this.lines.focus();
    if (await this.load({})) this.lines.scrollTop = this.lines.scrollHeight;
    const found = await this.ask("log_runs", {});
    this.runs = found?.runs ?? [];
    this.draw();
  }

  /**
   * Ask for something of the log; what goes wrong is shown above it.
   * @template {"log" | "log_runs" | "log_time" | "log_raw"} Name
   * @param {Name} command
   * @param {Args} args
   * @returns {Promise<Answer<Name> | null>}
   */
  async ask(command, args) {
    try {
      this.wrong = "";
      return await this.frame.line.ask(command, { run: this.run, ...args });
    } catch (error) {
      this.wrong = sentence(error);
      this.draw();
      return null;
    }
  }

  /**
   * Show the log from a place on, and nothing else of it. Returns whether nothing else was asked for since.
   * @param {Args} place
   */
  async load(place) {
    this.round += 1;
    const { round } = this,
      part = await this.ask("log", place);
    if (!part || round !== this.round) return false;
    this.parts = [part];
    this.draw();
    return true;
  }

  async scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.lines;
    if (this.asking || !this.parts.length) return;
    if (scrollTop < NEAR && this.first.start > 0) await this.extend("before");
    else if (scrollTop + clientHeight > scrollHeight - NEAR && this.last.end < this.last.size)
      await this.extend("at");
  }

  /**
   * Show the next part as well, and let go of what is far from it; what one reads stays where it is.
   * @param {"before" | "at"} way
   */
  async extend(way) {
    this.asking = true;
    const { lines, round } = this;
    const part = await this.ask("log", { [way]: way === "at" ? this.last.end : this.first.start });
    if (part && round === this.round) {
      const before = lines.scrollHeight - lines.scrollTop;
      if (way === "at") {
        this.parts = [...this.parts, part];
        if (this.parts.length > PARTS_HELD) {
          const height = lines.scrollHeight;
          this.parts = this.parts.slice(1);
          const at = lines.scrollTop;
          this.draw();
          lines.scrollTop = Math.max(0, at - Math.max(0, height - lines.scrollHeight));
        }
      } else this.parts = [part, ...this.parts].slice(0, PARTS_HELD);
      this.draw();
      if (way === "before") lines.scrollTop = lines.scrollHeight - before;
    }
    this.asking = false;
  }

  /** Show what was written since, where the end is shown and the run goes on. */
  async tail() {
    const { last, lines } = this,
      run = this.runs.find(({ id }) => id === this.run);
    if (this.asking || !last || last.end < last.size || !run || !GROWS.has(run.status)) return;
    this.asking = true;
    const { round } = this,
      from = last.lines.at(-1)?.[0] ?? last.start, // the last line may have been cut
      atEnd = lines.scrollTop + lines.clientHeight > lines.scrollHeight - 4;
    const part = await this.ask("log", { at: from });
    if (part && round === this.round && part.size > last.size) {
      const kept = { ...last, end: from, lines: last.lines.filter(([at]) => at < from) };
      this.parts = [...this.parts.slice(0, -1), kept, part].slice(-PARTS_HELD);
      this.draw();
      if (atEnd) lines.scrollTop = lines.scrollHeight;
    }
    this.asking = false;
  }

  /** @param {number} at The offset of a line. */
  async goTo(at) {
    if (!this.parts.some(({ start, end }) => start <= at && at < end)) await this.load({ at });
    else this.draw();
    const line = this.lines.querySelector(`[data-at="${at}"]`);
    line?.scrollIntoView({ block: "center" });
  }

  async goToTime() {
    const moment = new Date(this.moment.value).getTime() / 1000;
    if (!Number.isFinite(moment)) return;
    const found = await this.ask("log_time", { moment });
    if (found && found.at !== null) {
      await this.load({ at: found.at });
      this.lines.scrollTop = 0;
      this.frame.announce(`Log from ${new Date(moment * 1000).toLocaleString()}`);
    }
  }

  /** @param {Args} place */
  async jump(place) {
    await this.load(place);
    this.lines.scrollTop = "at" in place ? 0 : this.lines.scrollHeight;
  }

  async save() {
    /** @type {Uint8Array<ArrayBuffer>[]} */
    const data = [];
    let at = /** @type {number | null} */ (0);
    while (at !== null) {
      this.saved = `${bytes(at)} of ${bytes(this.last?.size ?? 0)}`;
      this.draw();
      const part = /** @type {LogRaw | null} */ (await this.ask("log_raw", { at }));
      if (!part || !this.body.isConnected) return;
      data.push(Uint8Array.from(part.data, (letter) => letter.charCodeAt(0)));
      at = part.next;
    }
    this.saved = "";
    this.draw();
    saveBlob(`run-${this.run}.log`, new Blob(data, { type: "text/plain" }));
  }

  draw() {
    const { parts, search } = this,
      timed = !!this.last?.timed;
    draw(
      this.body,
      html`<div class="pw-log-bar">
          <select aria-label="Run" @change=${({ currentTarget }) => this.choose(Number(currentTarget.value))}>
            ${options(
              this.runs.map(({ id, number, status }) => [id, `Run ${number} (${status})`]),
              this.run,
            )}
          </select>
          ${search.box()}
          ${button({ label: "Start", glyph: "up", f: "start", onclick: () => this.jump({ at: 0 }) })}
          ${button({ label: "End", glyph: "down", f: "end", onclick: () => this.jump({}) })}
          <label class="pw-log-time" ?hidden=${!timed}>Time ${this.moment}</label>
          ${button({ label: "Download", glyph: "import", f: "save", onclick: () => this.save() })}
        </div>
        <div class="pw-log-facts pw-soft" role="status">
          ${this.last ? html`<span>${bytes(this.last.size)}</span>` : null}
          <span>${this.last && !timed ? UNTIMED : null}</span>
          <span>${this.saved ? `Saving: ${this.saved}` : null}</span>
        </div>
        <div class="pw-log-wrong" role="alert">${this.wrong}</div>
        ${this.lines}`,
    );
    draw(
      this.lines,
      parts.length && !parts.some(({ lines }) => lines.length)
        ? html`<p class="pw-soft">Nothing was printed.</p>`
        : repeat(
            parts,
            (part) => part,
            (part) => this.partLines(part),
          ),
    );
  }

  /**
   * The lines of a part, thousands of them, which are drawn again only where what is searched has changed.
   * @param {LogPart} part
   */
  partLines(part) {
    const { at, text } = this.search,
      current = part.start <= at && at < part.end ? at : -1,
      known = this.drawn.get(part);
    if (known && known.text === text && known.current === current) return known.el;
    const el = known?.el ?? make(html`<div></div>`),
      sought = text.toLowerCase();
    draw(el, html`${part.lines.map((line) => logLine(line, sought, line[0] === current))}`);
    this.drawn.set(part, { el, text, current });
    return el;
  }
}

/**
 * A line, with its time, in which what is searched is marked.
 * @param {LogLine} line
 * @param {string} sought
 * @param {boolean} current
 */
function logLine([at, time, text], sought, current) {
  const when = time === null ? null : new Date(time * 1000),
    clock = when?.toLocaleTimeString();
  return html`<div class=${`pw-log-line${current ? " pw-log-current" : ""}`} data-at=${at}>
    ${when ? html`<time datetime=${when.toISOString()} title=${when.toLocaleString()}>${clock}</time>` : null}
    <code>${sought ? marked(text, sought) : text || nothing}</code>
  </div>`;
}

/**
 * @param {string} text
 * @param {string} sought In small letters.
 */
function marked(text, sought) {
  const low = text.toLowerCase(),
    parts = [];
  let from = 0;
  for (let at = low.indexOf(sought); at >= 0 && low.length === text.length; at = low.indexOf(sought, from)) {
    parts.push(text.slice(from, at), html`<mark>${text.slice(at, at + sought.length)}</mark>`);
    from = at + sought.length;
  }
  return [...parts, text.slice(from)];
}
