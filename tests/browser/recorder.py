"""A silent recording of a page: a pointer that is seen, frames with their times, an animated WebP of them."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page

#: An arrow where the mouse is, and a ring where it was pressed. No click reaches it.
POINTER = """() => {
  if (document.querySelector(".seen-pointer")) return;
  const pointer = document.createElement("div");
  pointer.className = "seen-pointer";
  pointer.setAttribute("aria-hidden", "true");
  pointer.setAttribute("popover", "manual");
  pointer.innerHTML = `<svg width="22" height="26" viewBox="0 0 22 26"><path fill="#111" stroke="#fff"
    stroke-width="1.600" d="M3 2v18l4.600-4.200 3 7 3.200-1.400-3-6.800h6.200z"/></svg>`;
  pointer.style.cssText = `position: fixed; inset: auto; left: -50px; top: -50px; margin: -3px; padding: 0;
    border: 0; background: none; pointer-events: none; overflow: visible; width: 22px; height: 26px;`;
  document.body.append(pointer);
  addEventListener("mousemove", ({ clientX, clientY }) => {
    pointer.style.left = `${clientX}px`;
    pointer.style.top = `${clientY}px`;
  }, true);
  const press = (on) => () => {
    pointer.style.boxShadow = on ? "0 0 0 9px rgb(33 150 243 / 45%)" : "";
    pointer.style.borderRadius = on ? "50%" : "";
  };
  addEventListener("mousedown", press(true), true);
  addEventListener("mouseup", press(false), true);
}"""
#: A dialog that was opened since lies above all: the pointer is put above it again.
RAISE = """() => {
  const pointer = document.querySelector(".seen-pointer");
  if (pointer?.matches(":popover-open")) pointer.hidePopover();
  pointer?.showPopover();
}"""
GLIDE = 5  # frames from one place to the next
GLIDE_TIME = 45  # ms for each
SPEED = 2  # of what runs
LEAST = 30  # ms; viewers slow down what is shorter


@dataclass
class Recorder:
    """The frames of a story, from `Recorder(page, clip)` to `save`."""

    page: Page
    clip: FloatRect
    #: Whether frames are kept; without, the same is done and takes less time.
    keeps: bool = True
    _frames: list[tuple[Image.Image, int]] = field(default_factory=list[tuple[Image.Image, int]])
    _at: tuple[float, float] = (0, 0)

    def begin(self) -> None:
        """Show the pointer, in the middle."""
        if self.keeps:
            self.page.evaluate(POINTER)
        self._at = (self.clip["x"] + self.clip["width"] * 0.6, self.clip["y"] + self.clip["height"] * 0.6)
        self.page.mouse.move(*self._at)

    def hold(self, milliseconds: int) -> None:
        """Let the present picture stand for a time."""
        if not self.keeps:
            return
        self.page.evaluate(RAISE)
        shot = self.page.screenshot(clip=self.clip, scale="css", caret="initial")
        picture = Image.open(io.BytesIO(shot)).convert("RGB")
        if self._frames and self._frames[-1][0].tobytes() == picture.tobytes():
            before, shown = self._frames[-1]
            self._frames[-1] = (before, shown + milliseconds)
        else:
            self._frames.append((picture, max(milliseconds, LEAST)))

    def watch(self, until: Locator, at_most: float = 60.0, every: float = 0.12) -> None:
        """Record what moves until something is to be seen; it is played at twice its speed.

        Args:
            until: What is waited for.
            at_most: Seconds after which the wait ends with an error.
            every: Seconds between two frames, at least.
        """
        end = time.monotonic() + at_most
        while not until.is_visible():
            assert time.monotonic() < end, f"{until} did not come within {at_most} s"
            begun = time.monotonic()
            self.hold(0)
            self.page.wait_for_timeout(max(0.0, every - (time.monotonic() - begun)) * 1000)
            if self.keeps:
                picture, shown = self._frames[-1]
                self._frames[-1] = (picture, shown + round((time.monotonic() - begun) * 1000 / SPEED))

    def click(self, control: Locator, after: int = 500) -> None:
        """Move the pointer to a control, press it, and let the outcome stand.

        Args:
            control: What is pressed.
            after: How long the outcome stands, in ms.
        """
        control.scroll_into_view_if_needed()
        box = control.bounding_box()
        assert box, f"{control} is not to be seen"
        x, y = box["x"] + min(box["width"] / 2, 90), box["y"] + box["height"] / 2
        self._glide(x, y)
        self.hold(150)
        self.page.mouse.down()
        self.hold(120)
        self.page.mouse.up()
        self.page.wait_for_timeout(120)
        self.hold(after)

    def type(self, text: str, after: int = 300) -> None:
        """Type into what has the focus, a few letters in a frame."""
        for at in range(0, len(text), 3):
            self.page.keyboard.type(text[at : at + 3])
            self.hold(110)
        self.hold(after)

    def save(self, path: Path, *, quality: int = 70) -> int:
        """Write an animated WebP, which plays again and again, and return its length in ms."""
        pictures, times = [picture for picture, _ in self._frames], [shown for _, shown in self._frames]
        pictures[0].save(
            path,
            save_all=True,
            append_images=pictures[1:],
            duration=times,
            loop=0,
            quality=quality,
            method=3,
            minimize_size=True,
            allow_mixed=True,
        )
        return sum(times)

    def _glide(self, x: float, y: float) -> None:
        from_x, from_y = self._at
        for step in range(1, GLIDE + 1):
            part = step / GLIDE
            eased = part * part * (3 - 2 * part)
            self.page.mouse.move(from_x + (x - from_x) * eased, from_y + (y - from_y) * eased)
            self.hold(GLIDE_TIME)
        self._at = (x, y)


def save_picture(page: Page, clip: FloatRect, path: Path, *, colours: int = 256) -> None:
    """Write a small PNG of a part of the page, with a palette of its own."""
    whole = Image.open(io.BytesIO(page.screenshot(clip=clip, animations="disabled"))).convert("RGB")
    whole.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
