// The check of a whole chain before its first trigger: every problem, by stage.

import { openDialog } from "./dialogs.js";
import { html } from "./elements.js";
import { count } from "./text.js";

/**
 * Check a pipeline, and list what is in the way of it.
 * @param {Frame} frame
 * @param {El} pressed
 */
export async function checkPipeline(frame, pressed) {
  const found = await frame.run("check", {}, pressed);
  if (!found) return;
  if (!found.length) return frame.notice("Everything is in order: the whole chain can run.");
  openDialog({
    frame,
    title: count(found.length, "problem"),
    cancel: "Close",
    body: html`<ul class="pw-problems">
      ${found.map(
        ({ stage, problem }) =>
          html`<li>${stage ? html`<strong>${stage}</strong><br />` : null}${problem}</li>`,
      )}
    </ul>`,
  });
}
