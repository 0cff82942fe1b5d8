// How a chain is drawn under its layer: in a Cytoscape core that an ipycytoscape view has made, or as plain
// SVG. A renderer has name, show(stages, layout), place(id, position), paint(), look(zoom, pan), resize() and
// end(). What is selected shows in the layer, so that a shape keeps the colour of its status.

import { beginsRow, place, rowTurn, turnSegments, ZOOM } from "./chain_layout.js";
import { edgeColour, STATUS_TOKEN, token } from "./chain_shapes.js";
import { endView } from "./children.js";
import { draw, find, html, make } from "./elements.js";
import { referenced } from "./line.js";
import { nothing, svg } from "./vendor/lit.js";

/** The chain in a Cytoscape core that an ipycytoscape view has made. */
export class CytoscapeChain {
  /**
   * @param {Model} model
   * @param {StageGraph} graph
   */
  static async load(model, graph) {
    const view = await model.widget_manager.create_view(await referenced(model, model.get("canvas")));
    view.luminoWidget.constructor.attach(view.luminoWidget, graph.canvas);
    await view.displayed;
    while (!view.cytoscape_obj && !graph.ended) await new Promise(requestAnimationFrame);
    if (graph.ended) {
      endView(view);
      throw new Error("no longer wanted");
    }
    return new CytoscapeChain(view, graph);
  }

  /**
   * @param {WidgetView} view
   * @param {StageGraph} graph
   */
  constructor(view, graph) {
    this.name = "cytoscape";
    /** @type {ChainLayout | null} */
    this.layout = null;
    this.view = view;
    this.graph = graph;
    this.cy = /** @type {CytoscapeCore} */ (view.cytoscape_obj);
    Object.assign(view.el.style, { background: "transparent", width: "100%", height: "100%" });
    this.cy.minZoom(ZOOM.least);
    this.cy.maxZoom(ZOOM.most);
    this.cy.userZoomingEnabled(false);
    this.cy.boxSelectionEnabled(false);
    this.cy.autounselectify(true);
    this.cy.autoungrabify(false);
    this.cy.on("dragpan", () => graph.scrollTo(-this.cy.pan().y));
    /**
     * @param {string} event
     * @param {(id: number, target: CytoscapeElement) => void} heard
     */
    const on = (event, heard) =>
      this.cy.on(event, "node", ({ target }) => heard(Number(target.id()), target));
    on("tap", (id) => {
      graph.on.select(id);
      graph.focus(id);
    });
    on("dbltap", (id) => graph.on.open(id));
    on("mouseover", (id) => {
      graph.hover(id);
      graph.box.classList.add("pw-over");
    });
    on("mouseout", () => {
      graph.hover(0);
      graph.box.classList.remove("pw-over");
    });
    on("drag", (id, target) => graph.drag.over(id, target.position()));
    on("free", (id) => graph.drag.drop(id));
  }

  /**
   * @param {Stage[]} stages
   * @param {ChainLayout} layout
   */
  show(stages, layout) {
    const cy = this.cy;
    const before = this.layout;
    this.layout = layout;
    if (before?.columns !== layout.columns || before?.card.width !== layout.card.width) this.paint();
    cy.batch(() => {
      const wanted = new Set();
      stages.forEach((stage, at) => {
        const id = String(stage.id),
          node = cy.getElementById(id),
          data = { id, status: stage.status };
        wanted.add(id);
        if (node.empty()) cy.add({ group: "nodes", data, position: place(layout, at) });
        else {
          if (node.data("status") !== stage.status) node.data(data);
          const now = node.position(),
            home = place(layout, at);
          if (!node.grabbed() && (now.x !== home.x || now.y !== home.y)) node.position(home);
        }
        if (at === 0) return;
        const edge = `${stages[at - 1].id}>${stage.id}`,
          known = cy.getElementById(edge),
          classes = edgeClasses(stage, layout, at);
        wanted.add(edge);
        if (known.empty())
          cy.add({
            group: "edges",
            classes,
            data: { id: edge, source: String(stages[at - 1].id), target: id, classes },
          });
        else if (known.data("classes") !== classes) {
          known.data("classes", classes);
          known.classes(classes);
        }
      });
      cy.elements()
        .filter((each) => !wanted.has(each.id()))
        .remove();
    });
  }

  /**
   * @param {number} id
   * @param {Pan} position
   */
  place(id, position) {
    this.cy.getElementById(String(id)).position(position);
  }

  paint() {
    const { layout } = this;
    if (!layout) return;
    const el = this.graph.box,
      line = edgeColour(el),
      segments = layout.rows > 1 ? turnSegments(layout) : { weights: [0.5], distances: [0] };
    const statuses = Object.entries(STATUS_TOKEN).map(([status, name]) => ({
      selector: `node[status='${status}']`,
      style: { "border-color": token(el, name, line) },
    }));
    this.cy.style([
      {
        selector: "node",
        style: {
          shape: "round-rectangle",
          width: layout.card.width,
          height: layout.card.height,
          "background-color": token(el, "--pw-bg", "#fff"),
          "border-width": 1.5,
          "border-color": line,
          "overlay-opacity": 0,
        },
      },
      ...statuses,
      {
        selector: "edge",
        style: {
          "curve-style": "straight",
          width: 1.8,
          "line-color": line,
          "target-arrow-color": line,
          "target-arrow-shape": "triangle",
          "arrow-scale": 1,
          "overlay-opacity": 0,
          "target-distance-from-node": 3,
        },
      },
      {
        selector: "edge.turn",
        style: {
          "curve-style": "segments",
          "edge-distances": "node-position",
          "segment-weights": segments.weights,
          "segment-distances": segments.distances,
        },
      },
      { selector: "edge.manual", style: { "line-style": "dashed", "line-dash-pattern": [5, 4] } },
      // no checkpoint comes this way
      {
        selector: "edge.order",
        style: { "target-arrow-shape": "circle", "target-arrow-fill": "hollow", "line-style": "dotted" },
      },
      { selector: "edge.loose", style: { opacity: 0.3 } },
    ]);
  }

  /**
   * Let the arrows of a stage fade that is being dragged, or come back.
   * @param {number} id
   * @param {boolean} loose
   */
  loosen(id, loose) {
    const edges = this.cy.getElementById(String(id)).connectedEdges();
    if (loose) edges.addClass("loose");
    else edges.removeClass("loose");
  }

  /**
   * @param {number} zoom
   * @param {Pan} pan
   */
  look(zoom, pan) {
    this.cy.viewport({ zoom, pan });
  }

  resize() {
    this.cy.resize();
  }

  end() {
    this.cy.destroy();
    endView(this.view);
  }
}

/**
 * What an arrow tells: whether the stage that it leads to starts by itself, whether its checkpoint comes
 * another way, and whether it turns to the next row.
 * @param {Stage} stage
 * @param {ChainLayout} layout
 * @param {number} at
 */
const edgeClasses = ({ auto, source }, layout, at) =>
  `${auto ? "auto" : "manual"}${source ? " order" : ""}${beginsRow(layout, at) ? " turn" : ""}`;

/** The chain as plain SVG, where the Cytoscape view cannot load. */
export class SvgChain {
  /** @param {StageGraph} graph */
  constructor(graph) {
    this.name = "svg";
    this.graph = graph;
    /** @type {Stage[]} */
    this.stages = [];
    /** @type {ChainLayout | null} */
    this.layout = null;
    this.picture = make(html`<svg class="pw-plain" width="100%" height="100%"><g></g></svg>`);
    this.shapes = find(this.picture, "g");
    graph.canvas.append(this.picture);
  }

  /**
   * @param {Stage[]} stages
   * @param {ChainLayout} layout
   */
  show(stages, layout) {
    this.stages = stages;
    this.layout = layout;
    this.paint();
  }

  place() {}

  loosen() {}

  paint() {
    const { layout, stages } = this;
    if (!layout) return;
    const el = this.graph.box,
      colour = edgeColour(el),
      { width, height } = layout.card;
    draw(this.shapes, [
      stages.slice(1).map((stage, before) => {
        const path = arrowPath(layout, before + 1),
          { source } = stage;
        return svg`<path d=${path.shaft} stroke=${colour} stroke-width="1.8" fill="none"
            stroke-dasharray=${source ? "2 3" : stage.auto ? nothing : "5 4"}></path>
          <path d=${source ? path.ring : path.head} fill=${source ? "none" : colour}
            stroke=${source ? colour : nothing}></path>`;
      }),
      stages.map(({ status }, at) => {
        const { x, y } = place(layout, at);
        return svg`<rect x=${x - width / 2} y=${y - height / 2} width=${width} height=${height} rx="8"
          fill=${token(el, "--pw-bg", "#fff")} stroke-width="1.5"
          stroke=${token(el, STATUS_TOKEN[status] || "--pw-line-strong", colour)}></rect>`;
      }),
    ]);
  }

  /**
   * @param {number} zoom
   * @param {Pan} pan
   */
  look(zoom, pan) {
    this.shapes.setAttribute("transform", `translate(${pan.x} ${pan.y}) scale(${zoom})`);
  }

  resize() {}

  end() {
    this.picture.remove();
  }
}

/**
 * The arrow to a stage from the one before it: its shaft, its head, and a ring in place of that.
 * @param {ChainLayout} layout
 * @param {number} at
 */
function arrowPath(layout, at) {
  const from = place(layout, at - 1),
    to = place(layout, at),
    { width, height } = layout.card;
  if (layout.isStack) {
    const y = to.y - height / 2 - 3;
    return {
      shaft: `M${from.x} ${from.y + height / 2}V${y - 6}`,
      head: `M${to.x} ${y}l-4 -8h8z`,
      ring: `M${to.x - 3} ${y - 3}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z`,
    };
  }
  const x = to.x - width / 2 - 3;
  const bends = beginsRow(layout, at) ? rowTurn(layout, at).map((bend) => `L${bend.x} ${bend.y}`) : [];
  return {
    shaft: `M${from.x + width / 2} ${from.y}${bends.join("")}L${x - 6} ${to.y}`,
    head: `M${x} ${to.y}l-8 -4v8z`,
    ring: `M${x - 6} ${to.y}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z`,
  };
}
