// The dialogs of the Agents view.

/** Ask for a new agent: its name, and the checkpoint that it is a copy of. */
async function openNewAgent(table, pressed) {
  const { frame } = table;
  const sources = await frame.run("sources", {}, pressed);
  if (!sources) return;
  if (!sources.length) return void frame.notice("No experiment has a checkpoint any more.", "error");
  const name = h("input", { type: "text", autocomplete: "off", spellcheck: "false", required: true });
  const about = h("textarea", { rows: 2 });
  const picker = new AgentSource({ frame, sources });
  let made = null;
  openDialog({
    frame, title: "New Agent", confirm: "Create", wide: true,
    body: [field("Name", name), field("Description", about, "Optional."), picker.el],
    act: async (button) => {
      if (!picker.experiment) throw { what: "No source experiment is chosen.", fix: "Choose one from the list." };
      if (!picker.run) throw { what: "The checkpoints of that experiment are not known yet.", fix: "Wait for them, or choose another." };
      made = await frame.line.ask("create", { name: name.value, description: about.value, experiment: picker.experiment.id, run: picker.run.id, choice: picker.choice }, button);
    },
    onclose: () => made && queueMicrotask(() => table.arrive(made, `Agent ${made.name} was created.`)),
  });
  name.focus();
}

/** The source experiment, and one of its checkpoints. */
class AgentSource {
  constructor({ frame, sources }) {
    Object.assign(this, { frame, sources, experiment: null, run: null, choice: "best" });
    const id = unique("experiments");
    this.labels = new Map(sources.map((each) => [this.label(each), each]));
    this.find = h("input", {
      type: "text", list: id, autocomplete: "off", spellcheck: "false", placeholder: "Search experiments",
      onchange: () => this.settle(), oninput: () => this.labels.has(this.find.value) && this.settle(),
      onfocus: () => this.find.select(),
    });
    this.place = h("div", { class: "pw-ag-offer" });
    const hint = `${count(sources.length, "experiment")} with checkpoints. Type to search.`;
    const chosen = sources.length <= AGENT_SELECT ? this.select() : this.find;
    const options = h("datalist", { id }, [...this.labels.keys()].map((label) => h("option", { value: label })));
    this.el = h("div", { class: "pw-ag-new" }, field("Source experiment", chosen, chosen === this.find ? hint : undefined), chosen === this.find ? options : null, this.place);
    if (sources.length <= AGENT_SELECT) this.pick(sources[0]);
  }

  label({ name, project, algorithm }) {
    return `${name}${project ? ` in ${project}` : ""} (${algorithm})`;
  }

  select() {
    const select = h("select", { onchange: () => this.pick(this.sources.find((each) => each.id === Number(select.value))) },
      [...this.labels].map(([label, { id }]) => h("option", { value: id }, label)));
    return select;
  }

  /** Take what was typed, if it names one. */
  settle() {
    const found = this.labels.get(this.find.value) ?? this.only(this.find.value);
    if (found && found !== this.experiment) this.pick(found);
    if (!found) {
      Object.assign(this, { experiment: null, run: null });
      redraw(this.place, this.find.value ? h("p", { class: "pw-hint", role: "status" }, "No experiment, or more than one, matches that.") : null);
    }
  }

  /** The experiment that a text means, if it is the only one. */
  only(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = words.length ? [...this.labels].filter(([label]) => words.every((word) => label.toLowerCase().includes(word))) : [];
    if (found.length !== 1) return null;
    this.find.value = found[0][0];
    return found[0][1];
  }

  async pick(source) {
    Object.assign(this, { experiment: source, run: null });
    redraw(this.place, h("p", { class: "pw-soft", role: "status" }, "Looking for its checkpoints…"));
    try {
      const { runs } = await this.frame.line.ask("offer", { experiment: source.id });
      if (this.experiment !== source) return; // another one was chosen meanwhile
      this.runs = runs;
      this.show();
    } catch (error) {
      if (this.experiment === source) redraw(this.place, h("p", { class: "pw-ag-bad", role: "alert" }, sentence(error)));
    }
  }

  show() {
    if (!this.runs.length) return redraw(this.place, h("p", { class: "pw-ag-bad", role: "alert" }, "Its checkpoints were deleted meanwhile. Choose another one."));
    const checkpoints = h("div");
    const take = (id) => {
      this.run = this.runs.find((run) => run.id === Number(id));
      this.choice = "best";
      this.drawRun(checkpoints);
    };
    const runs = h("select", { onchange: () => take(runs.value) }, this.runs.map(({ id, label, checkpoints: { length } }, at) => h("option", { value: id }, `${label}, ${count(length, "checkpoint")}${at ? "" : " (latest)"}`)));
    redraw(this.place, this.runs.length > 1 ? field("Run", runs) : null, checkpoints);
    take(this.runs[0].id);
  }

  drawRun(place) {
    const charts = h("div", { class: "pw-ag-charts" });
    const picker = new CheckpointPicker({
      legend: "Checkpoint", offer: this.run, choice: this.choice,
      onchange: (choice) => {
        this.choice = choice;
        this.drawCharts(charts);
      },
    });
    place.replaceChildren(picker.el, charts);
    this.drawCharts(charts);
  }

  /** Both scores by step, with the chosen checkpoint marked. */
  drawCharts(place) {
    const step = Number.isInteger(this.choice) ? this.choice : this.run[this.choice].step;
    const chart = (word, name) => {
      const points = this.run.checkpoints.map((each) => [each.step, each[name]]);
      const values = points.map(([, value]) => value).filter((value) => value !== null);
      const marked = this.run.checkpoints.find((each) => each.step === step);
      const said = values.length ? `Step ${step}: ${score(marked?.[name])}` : "None was reported";
      return h("figure", { class: "pw-ag-chart" },
        h("figcaption", {}, h("strong", {}, word), h("span", { class: "pw-soft" }, said)),
        values.length ? sparkline(points, { width: 300, height: 56, mark: step, label: `${word} by step; marked: step ${step}, ${score(marked?.[name])}` }) : null);
    };
    place.replaceChildren(chart("Training Score", "training_score"), chart("Evaluation Score", "evaluation_score"));
  }
}

const AGENT_SELECT = 12; // experiments up to which a plain list serves better than a search

function openDeleteAgent(table, id) {
  const { frame } = table, row = table.row(id);
  if (!row) return;
  const at = table.model.get("rows").findIndex((each) => each.id === id);
  openDialog({
    frame, title: `Delete agent “${row.name}”?`, confirm: "Delete", danger: true,
    body: [h("p", {}, `${row.version > 1 ? "Its versions are" : "It is"} deleted, with the frozen copies. The checkpoints that they were made of stay.`), h("p", {}, "That cannot be undone.")],
    act: async (button) => {
      await frame.line.ask("delete", { agent: id }, button);
      frame.announce(`Agent ${row.name} was deleted.`);
    },
    onclose: () => queueMicrotask(() => table.row(id) || table.neighbour(at)?.focus({ preventScroll: true })),
  });
}

/** A first key is made at once; one that is replaced cuts off who uses it. */
async function openRotateKey(detail, hint, pressed) {
  const { frame, table, id } = detail;
  const done = ({ key }) => {
    table.keep(id, key);
    frame.announce("The new key is shown.");
    detail.endpoint.querySelector(`[data-f="key-${id}"]`)?.focus({ preventScroll: true });
  };
  if (!hint) {
    const answer = await table.ask("rotate_key", { agent: id }, pressed);
    return answer && done(answer);
  }
  let answer = null;
  openDialog({
    frame, title: `Rotate the key of “${detail.row.name}”?`, confirm: "Rotate key", danger: true,
    body: [h("p", {}, `The key that ends in …${hint} is refused at once. Programs that use it need the new one, which is shown once.`)],
    act: async (button) => {
      answer = await frame.line.ask("rotate_key", { agent: id }, button);
    },
    onclose: () => answer && queueMicrotask(() => done(answer)),
  });
}

function openRollBack(detail, version) {
  const { frame, table, id, row } = detail;
  const live = row.status === "Deployed" ? " Its endpoint answers with it at once." : "";
  openDialog({
    frame, title: `Roll back “${row.name}” to version ${version.number}?`, confirm: "Roll back",
    body: [h("p", {}, `Version ${version.number}, step ${version.step} of ${version.experiment}, becomes the current one.${live} The other versions stay.`)],
    act: async (button) => {
      await frame.line.ask("roll_back", { agent: id, version: version.number }, button);
      frame.announce(`${row.name} is rolled back to version ${version.number}.`);
    },
    onclose: () => queueMicrotask(() => document.activeElement === frame.root && table.lines.querySelector(`[data-f="open-${id}"]`)?.focus({ preventScroll: true })),
  });
}
