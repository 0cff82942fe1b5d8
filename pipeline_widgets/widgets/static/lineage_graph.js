// Where a run comes from and what came of it, as a graph from left to right: a press on a node leads there.

import { draw, html, icon, make } from "./elements.js";
import { isolated } from "./text.js";
import { nothing, repeat } from "./vendor/lit.js";

const LINEAGE_NODE = { width: 168, height: 52 }; // px
const LINEAGE_GAP = { x: 84, y: 14 }; // px between two nodes: beside and below each other

/** @param {{ column: number, row: number }} node */
const nodeCorner = ({ column, row }) => ({
  left: column * (LINEAGE_NODE.width + LINEAGE_GAP.x),
  top: row * (LINEAGE_NODE.height + LINEAGE_GAP.y),
});

export class LineageGraph {
  /**
   * @param {{ open: (node: LineageNode, pressed: El) => unknown, why: (node: LineageNode) => string }} on
   *   `why` says why a node leads nowhere from here; empty where it does.
   */
  constructor(on) {
    this.on = on;
    this.placed = 0;
    this.el = make(html`<div class="pw-lin"></div>`);
  }

  /** @param {Lineage | null} told */
  show(told) {
    if (!told) {
      draw(this.el, html`<span class="pw-soft">Opening…</span>`);
      return this.el;
    }
    const { nodes, more } = told;
    const right = Math.max(...nodes.map((node) => nodeCorner(node).left)) + LINEAGE_NODE.width,
      below = Math.max(...nodes.map((node) => nodeCorner(node).top)) + LINEAGE_NODE.height;
    draw(
      this.el,
      html`<div class="pw-lin-scroll" tabindex="0" role="group" aria-label="Graph of the lineage">
          <div class="pw-lin-room" style=${`width: ${right}px; height: ${below}px`}>
            <svg class="pw-lin-lines" width=${right} height=${below} aria-hidden="true">
              <path d=${nodes.map((node) => lineageEdge(node, nodes)).join("")}></path>
            </svg>
            ${nodes.map(handedOn)}
            <ol class="pw-lin-nodes">${repeat(
              nodes,
              ({ kind, id, number }) => `${kind} ${id} ${number}`,
              (node) => html`<li style=${nodeStyle(node)}>${this.node(node)}</li>`,
            )}</ol>
          </div>
        </div>
        <p class="pw-soft" ?hidden=${!more}>${more} more, which are listed below.</p>
        ${inWords(told)}`,
    );
    this.settle(nodes);
    return this.el;
  }

  /**
   * Bring what was asked about into sight, once.
   * @param {LineageNode[]} nodes
   */
  settle(nodes) {
    const here = nodes.find((node) => node.here);
    if (!here || this.placed === here.id) return;
    this.placed = here.id;
    requestAnimationFrame(() => {
      const scroll = this.el.querySelector(".pw-lin-scroll");
      if (scroll) scroll.scrollLeft = nodeCorner(here).left - scroll.clientWidth / 2 + LINEAGE_NODE.width / 2;
    });
  }

  /** @param {LineageNode} node */
  node(node) {
    const { kind, name, number, label, status, stale, here, handed } = node,
      why = here ? "" : this.on.why(node);
    const said = [
      label,
      status,
      stale ? "Stale" : "",
      handed ? `from ${handed}` : "",
      here ? "shown here" : "",
    ];
    const what = kind === "agent" ? `version ${number}` : kind === "run" ? `run ${number}` : "deployment";
    return html`<button type="button" class=${`pw-lin-node${here ? " pw-lin-here" : ""}`}
      aria-label=${said.filter(Boolean).join(", ")} aria-current=${here ? "true" : nothing}
      aria-disabled=${why ? "true" : nothing} data-reason=${why || nothing}
      title=${why ? `${label}. ${why}` : label} data-f=${`lineage-node-${kind}-${node.id}-${number}`}
      @click=${(event) => !here && !why && this.on.open(node, event.currentTarget)}>
      ${icon(kind === "run" ? "experiment" : "agent")}
      <span class="pw-lin-name" dir="auto">${isolated(name)}</span>
      ${status ? html`<span class="pw-lin-status" data-status=${status}>${icon(status)}</span>` : null}
      <span class="pw-lin-about">${what}${stageOf(node)}</span>
      ${stale ? html`<span class="pw-lin-status" data-status="Stale">${icon("Stale")}</span>` : null}
    </button>`;
  }
}

/** @param {LineageNode} node */
const stageOf = ({ place: where }) => {
  const [, number = ""] = /^stage (\d+) of /.exec(where) ?? [];
  return number ? ` · stage ${number}` : "";
};

/** @param {LineageNode} node */
function nodeStyle(node) {
  const { left, top } = nodeCorner(node);
  return `left: ${left}px; top: ${top}px; width: ${LINEAGE_NODE.width}px; height: ${LINEAGE_NODE.height}px`;
}

/**
 * The line to a node from what it descends from, with an arrowhead.
 * @param {LineageNode} node
 * @param {LineageNode[]} nodes
 */
function lineageEdge(node, nodes) {
  if (node.parent === null) return "";
  const from = nodeCorner(nodes[node.parent]),
    to = nodeCorner(node),
    half = LINEAGE_NODE.height / 2;
  const x = from.left + LINEAGE_NODE.width,
    bend = x + 12,
    end = to.left - 2;
  return (
    `M${x} ${from.top + half}H${bend}V${to.top + half}H${end}` +
    `M${end - 5} ${to.top + half - 4}L${end} ${to.top + half}L${end - 5} ${to.top + half + 4}`
  );
}

/**
 * The checkpoint that was handed on, above the line; the node says it whole.
 * @param {LineageNode} node
 */
function handedOn(node) {
  if (node.parent === null) return null;
  const { left, top } = nodeCorner(node);
  const style = `left: ${left - LINEAGE_GAP.x + 14}px; top: ${top + LINEAGE_NODE.height / 2 - 19}px`;
  const short = node.handed.split(" ").slice(0, 2).join(" ");
  return html`<span class="pw-lin-handed" style=${`${style}; width: ${LINEAGE_GAP.x - 22}px`}
    aria-hidden="true" title=${node.handed}>${short}</span>`;
}

/**
 * The same in sentences, to be copied.
 * @param {Lineage} told
 */
const inWords = ({ from, into, depths }) => html`<details class="pw-lin-words">
  <summary>As text</summary>
  <div class="pw-lin-sentences">
    ${sentences("Comes from", from, "It started from scratch.", (at) => at)}
    ${sentences("Used by", into, "Nothing yet.", (at) => Number(depths[at]) - 1)}
  </div>
</details>`;

/**
 * @param {string} title
 * @param {string[]} texts
 * @param {string} none
 * @param {(at: number) => number} depth
 */
const sentences = (title, texts, none, depth) => html`<div>
  <strong>${title}</strong>
  ${
    texts.length
      ? html`<ul>${texts.map(
          (text, at) => html`<li style=${`padding-left: ${depth(at) * 16}px`}>${text}</li>`,
        )}</ul>`
      : html`<p class="pw-soft">${none}</p>`
  }
</div>`;
