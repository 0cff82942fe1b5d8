// The picture of a view, which stands after it in the notebook for whoever has no kernel.

import { html, make } from "./elements.js";

const PICTURE = "pipeline_widgets"; // the key under which the metadata of an output names its picture

/**
 * Hide the picture of a view wherever that view is alive beside it, also one that is drawn again. Returns
 * what ends that.
 * @param {string} name
 */
export function hidePicture(name) {
  const picture = `[data-pw-picture="${CSS.escape(name)}"]`,
    live = `.jp-OutputArea:has([data-pw-shows="${CSS.escape(name)}"])`;
  // An output that holds the picture itself; one that holds a whole output area (an Output widget) holds the
  // view as well.
  const rules = document.querySelector(".jp-OutputArea")
    ? `${live} ${picture}, ${live} .jp-OutputArea-child:has(> .jp-OutputArea-output > ${picture})`
    : picture;
  const style = make(html`<style></style>`);
  style.textContent = `${rules} { display: none !important; }`;
  document.head.append(style);
  return () => style.remove();
}

/**
 * The places of the notebook that hold the picture of a view. There are none where the host does not show its
 * notebook.
 * @param {Model} model
 */
export function picturePlaces(model) {
  const found = [],
    name = model.get("picture");
  for (const { outputs } of model.widget_manager?.context?.model?.cells ?? [])
    for (let at = 0; outputs && at < outputs.length; at += 1) {
      const told = outputs.get(at).metadata?.[PICTURE];
      if (told?.picture === name) found.push({ outputs, at, drawn: told.drawn });
    }
  return found;
}

/**
 * Keep the picture in the notebook up to date. JupyterLab finds the output of a display id only until the
 * page is loaded again, or the cell is moved, pasted or duplicated; the notebook itself still says which
 * output is the picture. Returns what ends it.
 * @param {Model} model
 */
export function keepPicture(model) {
  const published = model.widget_manager?.kernel?.iopubMessage;
  if (!published) return () => {};
  /**
   * @param {unknown} _
   * @param {{ header: { msg_type: string }, content: OutputMessage }} message
   */
  const heard = (_, { header, content }) => {
    if (
      !["display_data", "update_display_data"].includes(header.msg_type) ||
      content.transient?.display_id !== model.get("picture")
    )
      return;
    const { data, metadata } = content;
    for (const { outputs, at, drawn } of picturePlaces(model))
      if (drawn !== metadata[PICTURE]?.drawn)
        outputs.set(at, { output_type: "display_data", data, metadata });
  };
  published.connect(heard);
  return () => published.disconnect(heard);
}
