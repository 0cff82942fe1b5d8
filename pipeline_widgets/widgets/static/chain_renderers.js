// How a chain is drawn under its layer: in a Cytoscape core that an ipycytoscape view has made, or as plain
// SVG. A renderer has name, show(stages), select(id), place(id, position), paint(), viewport, look(zoom,
// pan), resize() and end().

import { BUBBLE, edgeColour, place, STATUS_TOKEN, STEP, token, ZOOM } from "./chain_shapes.js";
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
    this.cy.on("viewport", () => graph.moved());
    this.cy.on("dragpan", () => (graph.roamed = true));
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
    on("drag", (id, target) => graph.dragged(id, target.position()));
    on("free", (id, target) => {
      const { x, y } = target.position();
      const home = place(graph.stages.findIndex((stage) => stage.id === id));
      if (x !== home.x || y !== home.y) graph.dropped(id, x);
    });
  }

  /** @param {Stage[]} stages */
  show(stages) {
    const cy = this.cy;
    cy.batch(() => {
      const wanted = new Set();
      stages.forEach((stage, at) => {
        const id = String(stage.id),
          node = cy.getElementById(id),
          data = { id, status: stage.status };
        wanted.add(id);
        if (node.empty()) cy.add({ group: "nodes", data, position: place(at) });
        else {
          if (node.data("status") !== stage.status) node.data(data);
          const now = node.position(),
            home = place(at);
          if (!node.grabbed() && (now.x !== home.x || now.y !== home.y)) node.position(home);
        }
        if (at === 0) return;
        const edge = `${stages[at - 1].id}>${stage.id}`,
          known = cy.getElementById(edge),
          kind = stage.auto ? "auto" : "manual";
        wanted.add(edge);
        if (known.empty())
          cy.add({ group: "edges", data: { id: edge, source: String(stages[at - 1].id), target: id, kind } });
        else if (known.data("kind") !== kind) known.data("kind", kind);
      });
      cy.elements()
        .filter((each) => !wanted.has(each.id()))
        .remove();
    });
  }

  /** @param {number} id */
  select(id) {
    this.cy.batch(() => {
      this.cy.nodes(".chosen").removeClass("chosen");
      this.cy.getElementById(String(id)).addClass("chosen");
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
    const el = this.graph.box,
      line = edgeColour(el);
    const statuses = Object.entries(STATUS_TOKEN).map(([status, name]) => ({
      selector: `node[status='${status}']`,
      style: { "border-color": token(el, name, line) },
    }));
    this.cy.style([
      {
        selector: "node",
        style: {
          shape: "round-rectangle",
          width: BUBBLE.width,
          height: BUBBLE.height,
          "corner-radius": 8,
          "background-color": token(el, "--pw-bg", "#fff"),
          "border-width": 1.5,
          "border-color": line,
          "overlay-opacity": 0,
        },
      },
      ...statuses,
      {
        selector: "node.chosen",
        style: {
          "border-width": 3,
          "border-color": token(el, "--pw-brand", "#1565c0"),
          "background-color": token(el, "--pw-bg-float", "#fff"),
        },
      },
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
      { selector: "edge[kind='manual']", style: { "line-style": "dashed", "line-dash-pattern": [5, 4] } },
    ]);
  }

  get viewport() {
    return { zoom: this.cy.zoom(), pan: this.cy.pan() };
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

/** The chain as plain SVG, where the Cytoscape view cannot load. */
export class SvgChain {
  /** @param {StageGraph} graph */
  constructor(graph) {
    this.name = "svg";
    this.graph = graph;
    this.viewport = { zoom: 1, pan: { x: 0, y: 0 } };
    /** @type {Stage[]} */
    this.stages = [];
    this.chosen = 0;
    this.picture = make(html`<svg class="pw-plain" width="100%" height="100%"><g></g></svg>`);
    this.shapes = find(this.picture, "g");
    graph.canvas.append(this.picture);
  }

  /** @param {Stage[]} stages */
  show(stages) {
    this.stages = stages;
    this.paint();
  }

  /** @param {number} id */
  select(id) {
    this.chosen = id;
    this.paint();
  }

  place() {}

  paint() {
    const el = this.graph.box,
      colour = edgeColour(el),
      { width, height } = BUBBLE;
    draw(this.shapes, [
      this.stages.slice(1).map((stage, at) => {
        const from = at * STEP + width / 2,
          to = (at + 1) * STEP - width / 2 - 3;
        return svg`<path d=${`M${from} 0H${to - 6}`} stroke=${colour} stroke-width="1.8"
            stroke-dasharray=${stage.auto ? nothing : "5 4"}></path>
          <path d=${`M${to} 0l-8 -4v8z`} fill=${colour}></path>`;
      }),
      this.stages.map(({ id, status }, at) => {
        const chosen = id === this.chosen,
          name = chosen ? "--pw-brand" : STATUS_TOKEN[status] || "--pw-line-strong";
        return svg`<rect x=${at * STEP - width / 2} y=${-height / 2} width=${width} height=${height} rx="8"
          fill=${token(el, "--pw-bg", "#fff")} stroke=${token(el, name, colour)}
          stroke-width=${chosen ? 3 : 1.5}></rect>`;
      }),
    ]);
  }

  /**
   * @param {number} zoom
   * @param {Pan} pan
   */
  look(zoom, pan) {
    this.viewport = { zoom, pan };
    this.shapes.setAttribute("transform", `translate(${pan.x} ${pan.y}) scale(${zoom})`);
  }

  resize() {}

  end() {
    this.picture.remove();
  }
}
