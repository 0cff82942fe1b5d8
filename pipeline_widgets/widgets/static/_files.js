// What leaves a view: text for the clipboard, and files that the browser saves.

/** Put text on the clipboard; resolves to whether that was done. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // a page that is not served securely has no clipboard of its own
  }
}

function copyBySelection(text) {
  const back = document.activeElement;
  const area = h("textarea", { class: "pw-hidden", "aria-hidden": "true", tabindex: "-1", value: text });
  (back?.closest("dialog") || document.body).append(area); // what is outside an open dialog cannot be selected
  area.select();
  let done = false;
  try {
    done = document.execCommand("copy");
  } catch {
    // told by the answer
  }
  area.remove();
  back?.focus?.({ preventScroll: true });
  return done;
}

/** Make a button that copies what `text` returns, and says so. */
function copyButton({ frame, label = "Copy", text, ...props }) {
  const el = button({
    label, glyph: "copy", ...props,
    onclick: async () => {
      const done = await copyText(text());
      const said = done ? "Copied" : "Not copied: select the text and press Ctrl+C";
      const word = el.querySelector(".pw-label");
      if (word) {
        word.textContent = said;
        setTimeout(() => (word.textContent = label), 2000);
      }
      frame.announce(said);
    },
  });
  return el;
}

/** Let the browser save text as a file. */
function saveFile(name, text, type = "text/plain") {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
