// The list twin of the stage graph: the same stages with the same actions, as a table.

import { openMenu } from "./dialogs.js";
import { arrowTo, button, draw, html, make } from "./elements.js";
import { kindIcon, stageBadges } from "./stage_bubble.js";
import { heads } from "./tables.js";
import { alignedScores, asSentence, ended, isolated } from "./text.js";
import { repeat } from "./vendor/lit.js";

const STAGE_COLUMNS = /** @type {const} */ ([
  ["#", "pw-number"],
  "Type",
  "Name",
  "Trigger",
  "Status",
  ["Evaluation score", "pw-number"],
  "Why",
  ["Actions", "pw-stagelist-end"],
]);
const STAGE_BUTTONS = [".pw-stagelist-name", "[data-act]", "[aria-haspopup]"]; // the columns of buttons

export class StageList {
  /**
   * `actions(stage)` gives what can be done with a stage; the first is a button, the others are in a menu.
   * @param {{ frame: Frame, actions: (stage: Stage) => MenuItem[], select: (id: number) => unknown }} options
   */
  constructor({ frame, actions, select }) {
    this.frame = frame;
    this.actions = actions;
    this.select = select;
    this.score = alignedScores([]);
    this.el = make(html`<div class="pw-scroll pw-stagelist"></div>`);
  }

  /**
   * @param {Stage[]} stages
   * @param {number} selected
   */
  show(stages, selected) {
    this.stages = new Map(stages.map((stage) => [stage.id, stage]));
    this.score = alignedScores(stages.map((stage) => stage.score));
    draw(
      this.el,
      html`<table class="pw-table">
        <caption class="pw-hidden">Stages</caption>
        ${heads(STAGE_COLUMNS)}
        <tbody @keydown=${(event) => this.key(event)}>
          ${repeat(
            stages,
            ({ id }) => id,
            (stage) => this.row(stage, stage.id === selected),
          )}
        </tbody>
      </table>`,
    );
  }

  /**
   * @param {Stage} stage
   * @param {boolean} selected
   */
  row(stage, selected) {
    const id = `${this.frame.id}-stage-${stage.id}`;
    const [{ key, label, glyph, title, reason, onclick }, ...others] = this.actions(stage);
    /** @param {At} event */
    const press = ({ target }) =>
      target.closest("button") || !document.getSelection()?.isCollapsed || this.select(stage.id);
    const act = button({
      label,
      glyph,
      reason,
      title: title || label,
      f: "act",
      act: key,
      describedby: id,
      onclick,
    });
    const scoreless = stage.kind === "Deployment" && stage.score === undefined;
    return html`<tr class=${selected ? "pw-chosen" : ""} data-key=${stage.id} @click=${press}>
      <td class="pw-number">${stage.n}</td>
      <td class="pw-stagelist-type">${kindIcon(stage)} <span>${stage.kind}</span></td>
      <th scope="row">
        <button type="button" class="pw-stagelist-name" id=${id} aria-pressed=${String(selected)}
          @click=${() => this.select(stage.id)}>${isolated(stage.name)}</button>
      </th>
      <td>${stage.auto ? "Auto" : "Manual"}</td>
      <td class="pw-stagelist-status"><div class="pw-stagelist-marks">${stageBadges(stage)}</div></td>
      <td class="pw-number">${scoreless ? "" : this.score(stage.score)}</td>
      <td class="pw-stagelist-why">${stageReasons(stage).map((reason) => html`<div>${reason}</div>`)}</td>
      <td class="pw-stagelist-end">
        <div class="pw-stagelist-actions">
          <span>${act}</span>
          <span>${button({
            label: `Actions for stage ${stage.n}: ${isolated(stage.name)}`,
            glyph: "more",
            quiet: true,
            popup: true,
            onclick: (opener) => openMenu(opener, others),
          })}</span>
        </div>
      </td>
    </tr>`;
  }

  /**
   * Up and down go from stage to stage, in the same column of buttons.
   * @param {At} event
   */
  key(event) {
    const row = event.target.closest("tr"),
      rows = [...event.currentTarget.children];
    const at = rows.indexOf(/** @type {Element} */ (row));
    const to = arrowTo(event.key, at, rows.length, { forth: "ArrowDown", back: "ArrowUp", around: false });
    if (!row || to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (to === at) return;
    const column = STAGE_BUTTONS.find((each) => event.target.matches(each)) ?? STAGE_BUTTONS[0];
    rows[to].querySelector(column)?.focus();
  }
}

/**
 * What a reader would ask about a stage: why it is stale, held, or cannot be triggered.
 * @param {Stage} stage
 */
function stageReasons(stage) {
  return [
    ...(stage.stale || []).map((reason) => `Stale: ${asSentence(reason)}`),
    stage.accepted !== undefined ? `Accepted as fresh${stage.accepted ? `: ${stage.accepted}` : "."}` : null,
    stage.held ? `Held: ${asSentence(stage.held)}` : null,
    stage.waits ? `Waits for ${ended(stage.waits)}` : null,
    ...(stage.active || stage.held ? [] : stage.blockers || []),
  ].filter(Boolean);
}
