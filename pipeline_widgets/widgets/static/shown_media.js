// An image or a video that a run has shown: fetched in parts once it is in sight, and played when asked to.

import { button, draw, html, make } from "./elements.js";
import { sentence } from "./line.js";
import { score } from "./text.js";
import { nothing } from "./vendor/lit.js";

// What a browser may be given, whatever a row says: nothing of these holds scripts.
const SHOWN_TYPES = new Set([
  "image/png",
  "image/jpeg",
  "image/webp",
  "image/gif",
  "video/mp4",
  "video/webm",
]);

export class ShownMedia {
  /**
   * @param {Frame} frame
   * @param {ShownItem} item
   * @param {{ playing?: boolean, onplay: (playing: boolean) => void, isNamed?: boolean }} options Whether it
   *   plays at once, who is told when somebody plays or pauses it, and whether its prompt and seed stand
   *   beside it already.
   */
  constructor(frame, item, { playing = false, onplay, isNamed = false }) {
    this.frame = frame;
    this.item = item;
    this.playing = playing && item.kind === "video";
    this.onplay = onplay;
    this.about = isNamed
      ? ""
      : [item.prompt ?? "", item.seed === null ? "" : `seed ${item.seed}`].filter(Boolean).join(", ");
    this.url = this.error = "";
    this.ended = false;
    this.isVideo = item.media?.media_type.startsWith("video/") ?? false;
    /** @type {HTMLCanvasElement | null} */
    this.still = null; // the first picture of an animation, which a browser cannot pause
    this.el = make(html`<figure class="pw-shown-media"></figure>`);
    this.seen = new IntersectionObserver((entries) => {
      if (!entries.some((each) => each.isIntersecting)) return;
      this.seen.disconnect();
      this.load();
    });
    this.seen.observe(this.el);
    this.gone = frame.whenGone(() => this.end());
    this.draw();
  }

  /** Fetch the file, a part after the other. */
  async load() {
    const { id, size, media } = this.item;
    /** @type {BlobPart[]} */
    const parts = [];
    try {
      if (!media || !SHOWN_TYPES.has(media.media_type)) throw new Error("It is of a type that is not shown.");
      for (let offset = 0; offset < size; ) {
        const { length, buffers } = await this.frame.line.ask("shown_part", { item: id, offset });
        if (this.ended) return;
        if (!length || !buffers?.length) throw new Error("Its file is shorter than it was.");
        parts.push(.../** @type {DataView<ArrayBuffer>[]} */ (buffers));
        offset += length;
      }
      this.url = URL.createObjectURL(new Blob(parts, { type: media.media_type }));
    } catch (error) {
      if (this.ended) return;
      this.error = sentence(error);
    }
    this.draw();
  }

  draw() {
    const { item, url, error, about } = this;
    draw(
      this.el,
      html`<div class="pw-shown-picture" style=${`aspect-ratio: ${ratio(item)}`} ?hidden=${!!error}>
          ${url ? this.picture() : html`<span class="pw-soft">Loading…</span>`}
        </div>
        <p class="pw-shown-error" role="status" ?hidden=${!error}>${error}</p>
        <figcaption>
          ${item.kind === "video" && url ? this.player() : null}
          <span class="pw-shown-caption" dir="auto" ?hidden=${!item.caption}>${item.caption}</span>
          <span class="pw-soft" dir="auto" title=${about} ?hidden=${!about}>${about}</span>
        </figcaption>`,
    );
  }

  picture() {
    const { item, url } = this;
    if (this.isVideo)
      return html`<video src=${url} .muted=${true} loop playsinline ?autoplay=${this.playing}
        aria-label=${item.description} width=${item.media?.width ?? nothing}></video>`;
    if (item.kind === "image" || this.playing || !this.still)
      return html`<img src=${url} alt=${item.description} width=${item.media?.width ?? nothing}
        @load=${(event) => this.pause(event.currentTarget)} />`;
    return this.still;
  }

  player() {
    return button({
      label: this.playing ? "Pause" : "Play",
      glyph: this.playing ? "Held" : "play",
      f: `play-${this.item.id}`,
      onclick: () => this.play(!this.playing),
    });
  }

  /** @param {boolean} playing */
  play(playing) {
    this.playing = playing;
    const { video } = this;
    if (video) playing ? video.play().catch(() => {}) : video.pause();
    this.draw();
    this.onplay(playing);
  }

  get video() {
    return /** @type {HTMLVideoElement | null} */ (this.el.querySelector("video"));
  }

  /** Begin again. */
  rewind() {
    if (this.video) this.video.currentTime = 0;
  }

  /**
   * Show the first picture of an animation in its place, unless it plays.
   * @param {HTMLElement} loaded
   */
  pause(loaded) {
    const { item } = this;
    if (item.kind !== "video" || this.still) return;
    const picture = /** @type {HTMLImageElement} */ (loaded);
    const still = document.createElement("canvas");
    still.width = picture.naturalWidth;
    still.height = picture.naturalHeight;
    still.getContext("2d")?.drawImage(picture, 0, 0);
    still.setAttribute("role", "img");
    still.setAttribute("aria-label", item.description);
    this.still = still;
    this.draw();
  }

  end() {
    if (this.ended) return;
    this.ended = true;
    this.gone();
    this.seen.disconnect();
    if (this.url) URL.revokeObjectURL(this.url);
  }
}

/**
 * A table of samples, in a region that scrolls.
 * @param {ShownItem} item
 */
export function shownSamples({ samples, caption, description }) {
  const scored = samples.some((each) => each.score !== null),
    referenced = samples.some((each) => each.reference !== null);
  return html`<div class="pw-scroll pw-shown-samples" tabindex="0" role="group" aria-label=${description}>
    <table class="pw-table">
      <caption class=${caption ? "pw-shown-caption" : "pw-hidden"} dir="auto">
        ${caption || description}
      </caption>
      <thead><tr>
        <th scope="col">Prompt</th><th scope="col">Output</th>
        ${referenced ? html`<th scope="col">Reference</th>` : null}
        ${scored ? html`<th scope="col" class="pw-number">Score</th>` : null}
      </tr></thead>
      <tbody>${samples.map(
        (each) => html`<tr>
          <th scope="row" class="pw-shown-text" dir="auto">${each.prompt}</th>
          <td class="pw-shown-text" dir="auto">${each.output}</td>
          ${referenced ? html`<td class="pw-shown-text" dir="auto">${each.reference ?? ""}</td>` : null}
          ${scored ? html`<td class="pw-number">${score(each.score)}</td>` : null}
        </tr>`,
      )}</tbody>
    </table>
  </div>`;
}

/**
 * The shape of a picture, so that nothing moves when it is there.
 * @param {ShownItem} item
 */
const ratio = ({ media }) => (media?.width && media.height ? `${media.width} / ${media.height}` : "auto");
