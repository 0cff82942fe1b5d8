"""The front end: modules and sheets, joined to one text each."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from pipeline_widgets.widgets import assets
from pipeline_widgets.widgets.assets import STATIC
from pipeline_widgets.widgets.icons import ICONS

DECLARED = re.compile(r"^(?:export )?(?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)
MODULES = sorted(STATIC.glob("*.js"))
VIEWS = ("agents", "experiments", "pipeline", "pipeline_list", "project", "results")
#: Sheets of what all views are made of; any other goes with the module of its name.
SHARED = {path.stem for path in (STATIC / "components").glob("*.css")} | {"tokens", "base", "uPlot"}
#: Classes that no sheet names: by them the code finds an element, or says which one it is.
BARE = {
    "pw-ag-hide",
    "pw-ag-say",
    "pw-ag-try",
    "pw-body",
    "pw-chart-offset",
    "pw-pl-builder",
    "pw-plain",
    "pw-plan",
    "pw-pluses",
    "pw-segment",
    "pw-stageform-question",
    "pw-xd-none",
}
#: Sheets that stand in the static picture of a view, not in the page of a live one.
OF_PICTURES = ("picture.css", "snapshot.css")


def write(folder: Path, **texts: str) -> Path:
    """Write modules, and return the first."""
    paths = [folder / f"{stem}.js" for stem in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths[0]


def test_each_module_stands_in_the_joined_text_once_after_what_it_imports(tmp_path: Path) -> None:
    """`base` is imported twice and comes first; the text exports what the entry exports, and nothing else."""
    entry = write(
        tmp_path,
        entry='import { one } from "./one.js";\nimport {\n  base,\n} from "./base.js";\n'
        "export const all = [one, base];\n",
        one='import { base } from "./base.js";\nexport const one = base;\n',
        base="export const base = 1;\n",
    )
    lines = [line for line in assets.script(entry).splitlines() if line]
    assert lines == ["const base = 1;", "const one = base;", "const all = [one, base];", "export { all };"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"entry": 'import one from "./one.js";\n', "one": ""}, "cannot be joined: import one from"),
        ({"entry": 'import { a as b } from "./one.js";\n', "one": ""}, "cannot be joined: import { a as b }"),
        ({"entry": 'import * as one from "./one.js";\n', "one": ""}, r"cannot be joined: import \*"),
        ({"entry": "export default {};\n"}, "cannot be joined: export default"),
        (
            {"entry": 'import { b } from "./one.js";\n', "one": "export const a = 1;\n"},
            "imports b, which one.js does not",
        ),
        (
            {"entry": 'import { a } from "./one.js";\n', "one": 'import { b } from "./entry.js";\n'},
            "entry.js -> one.js -> entry.js",
        ),
    ],
)
def test_what_cannot_be_joined_is_an_error_that_says_where(
    tmp_path: Path, texts: dict[str, str], message: str
) -> None:
    """Only imports and exports by name are joined."""
    with pytest.raises(ValueError, match=message):
        assets.script(write(tmp_path, **texts))


def test_no_name_is_declared_by_two_modules() -> None:
    """Joined, the modules share their top-level names, and a second declaration would break them all."""
    declared = Counter(DECLARED.findall(assets.script()))
    assert declared["Frame"] == 1
    assert [name for name, times in declared.items() if times > 1] == []


def test_every_import_is_used_and_every_export_is_imported() -> None:
    """What a module takes or offers for nothing goes; tests take some as well."""
    imported: dict[Path, set[str]] = {STATIC / "views.js": assets.exported_names(STATIC / "views.js")}
    for path in MODULES:
        code = re.sub(
            r"^import \{.*?\n", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
        )
        for source, names in assets.script_imports(path).items():
            imported.setdefault(source, set()).update(names)
            assert {name for name in names if not re.search(rf"\b{name}\b", code)} == set(), path.name
    for test in (Path(__file__).parents[1] / "js").glob("*.js"):
        for names, source in re.findall(
            r'import \{([^}]*)\} from "[./\w]*/static/(\w+\.js)"', test.read_text("utf-8")
        ):
            imported.setdefault(STATIC / source, set()).update(re.findall(r"\w+", names))
    offered = {path: assets.exported_names(path) for path in [*MODULES, *(STATIC / "vendor").glob("*.js")]}
    assert {path: names for path, names in offered.items() if names} == imported


def test_every_module_and_every_sheet_is_joined() -> None:
    """A file that nothing imports would be dead, and reach no browser."""
    script, style = assets.script(), assets.style()
    for path in MODULES:
        if path.name != "loader.js":
            assert path.read_text(encoding="utf-8").splitlines()[0] in script, path.name
    for path in STATIC.rglob("*.css"):
        if path.name not in {*OF_PICTURES, "views.css"}:
            assert path.read_text(encoding="utf-8").rstrip().splitlines()[-1] in style, path.name


def test_the_live_view_and_the_picture_have_the_same_icons_of_statuses() -> None:
    """Both are written down; neither may change without the other."""
    text = (STATIC / "icons.js").read_text(encoding="utf-8")
    drawn = dict(re.findall(r'^  "?([\w ]+)"?:\s+"([^"]+)",$', text, re.MULTILINE))
    assert {name: drawn.get(name) for name in ICONS} == ICONS


def test_modules_and_their_lines_are_short() -> None:
    """Also blank lines count, and the lines of templates, which no formatter breaks."""
    for path in MODULES:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 350, path.name
        long = [line for line in lines if len(line) > 110]
        assert long == [] or path.name == "icons.js", path.name


def test_nothing_sets_html() -> None:
    """Text of a user can become an element in no file of ours (spec 10.4)."""
    # A template is literal text of ours, and its values are set as text, attributes, properties or listeners.
    # So a template is never made of what is computed, and lit-html's own ways around that are not vendored.
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        found = re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment"
            r"|setHTML|srcdoc|unsafe|\b(?:html|svg)\s*\(",
            re.sub(r"export function html\(", "", text),
        )
        assert not found, f"{path.name}: {found}"
        assert "litHtml" not in text or path.name == "elements.js", path.name
    vendored = assets.exported_names(STATIC / "vendor" / "lit.js")
    assert vendored == {"litHtml", "litRender", "live", "nothing", "repeat", "svg"}


def named_classes(code: str) -> set[str]:
    """Return the classes that JavaScript names: written down, or made of a name that is."""
    written = set(re.findall(r"(?<![-\w])(pw-\w+(?:-\w+)*)(?![-\w])", code))
    bodies = {f"pw-{name}" for name in re.findall(r'name: "([a-z-]+)"', code)}
    parts = {f"pw-panel-{name}" for name in re.findall(r'part\("([\w-]+)', code)}
    titles = {f"pw-xd-{title.lower()}" for title in re.findall(r"[pP]art\(\"(\w+)\"", code)}
    lines = {f"pw-chart-{colour}" for colour in range(10)}
    return written | bodies | parts | titles | lines | {"pw-error", "pw-info"}


def test_every_class_that_a_sheet_styles_is_used_and_the_other_way_round() -> None:
    """A rule for nothing goes; a class without a rule is one of those that are bare on purpose."""
    sheets = [path for path in STATIC.rglob("*.css") if path.name not in OF_PICTURES and path.stem != "uPlot"]
    styled = {
        name
        for path in sheets
        for selector in selectors(path.read_text(encoding="utf-8"))
        for name in re.findall(r"\.(pw-[\w-]+)", selector)
    }
    code = "\n".join(path.read_text(encoding="utf-8") for path in MODULES)
    assert styled - named_classes(code) == set()
    written = set(re.findall(r"(?<![-\w])(pw-\w+(?:-\w+)*)(?![-\w$])", code))
    keyframes = set(re.findall(r"@keyframes ([\w-]+)", assets.style()))
    assert {name for name in written - styled - keyframes if f"{name}$" not in code} == BARE


def test_every_token_is_used_and_defined() -> None:
    """A colour or measure has one name, which a sheet defines and a sheet or a module uses."""
    style, code = assets.style(), assets.script()
    used = set(re.findall(r"var\((--pw-[\w-]+)", style)) | set(re.findall(r'"(--pw-[\w-]+)"', code))
    defined = set(re.findall(r"(--pw-[\w-]+)\s*:", style))
    assert used - defined == set()
    assert {name for name in defined - used if not re.fullmatch(r"--pw-c\d", name)} == set()


def selectors(sheet: str) -> list[str]:
    """Return the selectors of a sheet, without the conditions that they stand under."""
    rules = re.sub(r"/\*.*?\*/|@(?:container|media)[^{]*\{", "", sheet, flags=re.DOTALL)
    groups = re.findall(r"([^{}]+)\{[^{}]*\}", rules)
    return [one.strip() for group in groups for one in re.split(r",(?![^(]*\))", group)]


@pytest.mark.parametrize("view", VIEWS)
def test_no_sheet_of_another_view_reaches_what_a_view_shows(view: str) -> None:
    """A page has the sheets of all views and of pictures: none may change what another one shows."""
    joined = assets.script(STATIC / f"{view}.js")
    modules = {path.stem for path in MODULES if path.read_text(encoding="utf-8").splitlines()[0] in joined}
    shown = {*re.findall(r"\bpw-[\w-]+", joined), "pw-root"}
    sheets = {path: selectors(path.read_text(encoding="utf-8")) for path in STATIC.rglob("*.css")}
    known = {one for path, rules in sheets.items() if path.stem in {*modules, *SHARED} for one in rules}
    strange = {
        f"{path.name}: {selector}"
        for path, rules in sheets.items()
        if path.name != "picture.css"  # it goes with a picture, and hides outputs in which no view came up
        for selector in rules
        if selector not in known
        and (classes := set(re.findall(r"\.(pw-[\w-]+)", selector)))
        and classes <= shown
    }
    assert strange == set()
