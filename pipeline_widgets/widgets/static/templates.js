// Pipelines made of templates, and pipelines kept as templates.

import { field, textArea, textInput, wrongField } from "./controls.js";
import { openDialog } from "./dialogs.js";
import { button, draw, html, make, unique } from "./elements.js";
import { kindOf, sentence } from "./line.js";
import { isolated } from "./text.js";
import { live } from "./vendor/lit.js";

/**
 * Ask for a template and a name, and make a pipeline of it.
 * @param {{ frame: Frame, pressed: El, onmade: (made: Named) => unknown }} options
 */
export async function openNewFromTemplate({ frame, pressed, onmade }) {
  const templates = await frame.run("templates", {}, pressed);
  if (!templates) return;
  const picker = new TemplatePicker(frame, templates);
  /** @type {Named | null} */
  let made = null;
  openDialog({
    frame,
    title: "New from template",
    confirm: "Create",
    wide: true,
    body: [picker.el, picker.name],
    act: async (button) => {
      const args = { template: picker.chosen.name, name: picker.input.value };
      try {
        made = await frame.line.ask("create_from_template", args, button);
      } catch (error) {
        throw kindOf(error) === "NameTakenError" ? wrongField(picker.input, error) : error;
      }
    },
    onclose: () => made && onmade(made),
  });
}

/** The templates as radio buttons; one of this workspace can be deleted, which is asked in its place. */
class TemplatePicker {
  /**
   * @param {Frame} frame
   * @param {TemplateRow[]} templates
   */
  constructor(frame, templates) {
    this.frame = frame;
    this.templates = templates;
    this.chosen = templates[0];
    this.group = unique("template");
    /** @type {string | null} */
    this.asked = null; // the one whose deletion is asked about
    this.error = "";
    this.input = textInput("", { placeholder: this.chosen.name });
    this.name = make(html`<div></div>`);
    draw(this.name, field("Name", this.input, "Optional: by default that of the template."));
    this.el = make(html`<fieldset class="pw-templates"></fieldset>`);
    this.draw();
  }

  draw() {
    this.input.placeholder = this.chosen.name;
    draw(
      this.el,
      html`<legend>Template</legend>
        ${this.templates.map((template, at) => this.row(template, `${this.group}-${at}`))}
        <div class="pw-template-error" role="alert">${this.error}</div>`,
    );
  }

  /**
   * @param {TemplateRow} template
   * @param {string} id
   */
  row(template, id) {
    const { name, chain, description, is_ready: ready } = template;
    return html`<div class="pw-template">
      <label>
        <input type="radio" name=${this.group} aria-labelledby=${`${id}-name`}
          aria-describedby=${`${id}-about`} .checked=${live(template === this.chosen)}
          @change=${() => this.choose(template)} />
        <span class="pw-template-name" id=${`${id}-name`}>${isolated(name)}</span>
        <span class="pw-template-about" id=${`${id}-about`}>
          <span class="pw-template-chain">${chain}</span>
          ${description ? html`<span class="pw-soft">${description}</span>` : null}
        </span>
      </label>
      ${ready ? null : this.deletion(name)}
    </div>`;
  }

  /** @param {string} name */
  deletion(name) {
    if (this.asked !== name)
      return button({
        label: `Delete template ${isolated(name)}`,
        glyph: "trash",
        quiet: true,
        onclick: () => this.ask(name),
      });
    return html`<div class="pw-template-question" role="group" aria-label=${`Delete ${isolated(name)}?`}>
      ${button({ label: "Keep", onclick: () => this.ask(null) })}
      ${button({ label: "Delete", kind: "pw-danger", onclick: (pressed) => this.remove(name, pressed) })}
    </div>`;
  }

  /** @param {TemplateRow} template */
  choose(template) {
    this.chosen = template;
    this.draw();
  }

  /** @param {string | null} name */
  ask(name) {
    this.asked = name;
    this.draw();
    if (name) this.el.querySelector(".pw-template-question button")?.focus();
  }

  /**
   * @param {string} name
   * @param {El} pressed
   */
  async remove(name, pressed) {
    try {
      this.templates = await this.frame.line.ask("delete_template", { template: name }, pressed);
      const { chosen } = this;
      this.chosen = this.templates.find((each) => each.name === chosen.name) ?? this.templates[0];
      this.frame.announce(`Template ${isolated(name)} was deleted.`);
      this.error = "";
    } catch (error) {
      this.error = sentence(error);
    }
    this.asked = null;
    this.draw();
    this.el.querySelector("input:checked")?.focus();
  }
}

/**
 * Keep a pipeline as a template.
 * @param {Frame} frame
 * @param {{ name: string, description: string }} pipeline
 */
export function openSaveAsTemplate(frame, pipeline) {
  const name = textInput(pipeline.name, { required: "" }),
    about = textArea(2, pipeline.description);
  /** @type {{ name: string } | null} */
  let saved = null;
  openDialog({
    frame,
    title: "Save as template",
    confirm: "Save",
    body: [
      html`<p>
        Stages, settings and the configs of the experiments are kept. A pipeline that is made of it gets
        experiments and an agent of its own.
      </p>`,
      field("Name", name),
      field("Description", about, "Optional."),
    ],
    act: async (button) => {
      const args = { name: name.value, description: about.value };
      try {
        saved = await frame.line.ask("save_as_template", args, button);
      } catch (error) {
        throw ["NameTakenError", "ConfigError"].includes(kindOf(error) ?? "")
          ? wrongField(name, error)
          : error;
      }
    },
    onclose: () =>
      saved && frame.notice(`Template ${isolated(saved.name)} was saved: 'New from template' offers it.`),
  });
  name.select();
}
