// The experiments of a project, as a table.

const EXPERIMENT_CODE = 'project.create_experiment("sft", algorithm="SFT")';

class ExperimentsTable {
  constructor({ model, el }) {
    this.model = model;
    this.frame = new Frame({ model, el, name: "experiments" });
    this.rows = h("tbody", {});
    this.title = h("h2", { tabindex: "-1", class: "pw-experiments-title" }, "Experiments");
    this.count = h("span", { class: "pw-soft" });
    this.table = h("div", { class: "pw-scroll", role: "region", "aria-label": "Experiments", tabindex: "0" },
      h("table", { class: "pw-table" },
        h("caption", { class: "pw-hidden" }, "Experiments"),
        h("thead", {}, h("tr", {},
          ["Name", "Algorithm", "Status"].map((name) => h("th", { scope: "col" }, name)),
          ["Runs", "Best evaluation score"].map((name) => h("th", { scope: "col", class: "pw-number" }, name)),
          h("th", { scope: "col" }, "Last modified"))),
        this.rows));
    this.empty = h("div", { class: "pw-empty" },
      h("div", {}, "No experiments yet"),
      h("div", {}, "Make one in a cell, then put it into a stage of a pipeline or train it:"),
      h("pre", { class: "pw-code" }, h("code", {}, EXPERIMENT_CODE)));
    this.frame.body.append(h("div", { class: "pw-experiments-head" }, this.title, this.count), this.table, this.empty);
    this.frame.on("change:experiments", () => this.show());
    this.show();
  }

  show() {
    const found = this.model.get("experiments");
    this.table.hidden = !found.length;
    this.empty.hidden = found.length > 0;
    this.count.textContent = found.length ? String(found.length) : "";
    keyed(this.rows, found, (each) => each.id, () => h("tr", {}), (tr, each) => {
      redraw(tr,
        h("th", { scope: "row", class: "pw-experiments-name" }, each.name),
        h("td", {}, each.algorithm),
        h("td", {}, badge(each.status)),
        h("td", { class: "pw-number" }, String(each.runs)),
        h("td", { class: "pw-number" }, score(each.best)),
        h("td", {}, moment(each.modified)));
    });
  }
}

export default {
  initialize({ model }) {
    patches(model);
  },
  render({ model, el }) {
    const table = new ExperimentsTable({ model, el });
    return () => table.frame.close();
  },
};
