"""The documentation as pages: `python conf.py` executes the notebooks, `sphinx-build . site/html` makes the pages.

Both together are `make docs`. What they write lies in `site/`, and the list of modules in `api/`; git ignores both.
"""

import ast
import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from papermill import execute_notebook  # before any module of ours: it imports two of them as its engines
from sphinx.util import logging

ROOT = Path(__file__).resolve().parent
SITE = ROOT / "site"
EXECUTED, API, NOTEBOOKS = SITE / "executed", ROOT / "api", ROOT / "notebooks"
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# In the order of execution: all but the first read the run `docs`, or need none.
SETTINGS = {
    "train": {"run_name": "docs", "steps": 300, "sample_every": 50, "checkpoint_every": 100},
    "plot_series": {},
    "prepare": {"downsample_image": 2, "hide": "column 0", "name": "half"},
    "evaluate": {"run": "docs", "judge_seeds": 1, "epochs": 2},
    "deidentify": {"dataset": "../site/persons.npz", "variables": "", "hide": "", "weights": "0,5", "steps": 300},
    "compare": {"runs": "docs", "rivals": "autoregression", "judges": "svm", "judge_seeds": 1, "epochs": 2},
    "generate": {"run": "docs", "count": 200},
    "stabilise": {"steps": 60, "seeds": 1},
    "sweep": {"settings": "{dataset: digits, steps: 40, hidden_units: 32}", "finalists": 1, "final_seeds": 1},
    "esteban2017": {"experiments": "sines", "steps": 60},
    "theory": {"steps": 60},
    "runs": {"check": True},
}
NEEDS = {
    "colab": "a machine of Google's and an account there",
    "sync": "an account of Google Drive",
    "review": "a mail account and people who judge",
}

project, author = "rcgan_nb", "the authors of rcgan_nb"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc, html_theme = "README", "furo"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "runs/README.md", "notebooks/*", "api/*"]
exclude_patterns = [".*", "site", "build", "runs/*/**", "**/.ipynb_checkpoints"]  # large folders are not walked through
nb_execution_mode = "off"
nb_output_stderr = "remove"  # warnings of the machine that executed them
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "ignore-module-all": True}  # each thing on its own module's page
autodoc_preserve_defaults = True
html_math_renderer = "mathml"
html_show_sphinx = False
smartquotes = False  # they would turn the dashes of options into one


def on_the_map() -> list[str]:
    """Names of all notebooks, in the order of notebooks/README.md."""
    return re.findall(r"^\| `(\w+)\.ipynb`", (NOTEBOOKS / "README.md").read_text(), re.M)


# ---- notebooks ----


def published(name: str) -> str:
    """The notebook as it goes onto its page: executed where that was done, cleaned, with a word on its settings."""
    executed = EXECUTED / f"{name}.ipynb"
    book = nbformat.read(executed if executed.exists() else NOTEBOOKS / f"{name}.ipynb", 4)
    book.metadata.pop("widgets", None)  # with their state a page would fetch the widgets' JavaScript
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = [shown(output) for output in coalesced(cell.outputs)]
            alts = [o.metadata.get(mime, {}).get("alt") for o in cell.outputs if "data" in o for mime in o.data]
            cell.metadata["mystnb"] = {"image": {"alt": "; ".join(alt for alt in alts if alt)}}
    book.cells.insert(1, nbformat.v4.new_markdown_cell(f"```{{note}}\n{provenance(name, book)}\n```"))
    return nbformat.writes(book).replace(f"{SITE}/", "").replace(f"{ROOT}/", "")  # no paths of this machine


def provenance(name, book) -> str:
    """With which settings a notebook was executed, or why it was not."""
    if "executed_with" not in book.metadata:
        return f"Not executed: it needs {NEEDS[name]}." if name in NEEDS else "Not executed yet: `make docs` does that."
    settings = ", ".join(
        f"`{name}` {'empty' if value == '' else value}" for name, value in book.metadata.executed_with.items()
    )
    settings = settings or "the settings below"
    return f"Executed with {settings}, so that this page is made within minutes; its figures are no results."


def coalesced(outputs) -> list:
    """Outputs with streams joined: each line of a progress report comes as one of its own."""
    joined = []
    for output in outputs:
        if joined and output.output_type == "stream" and output.get("name") == joined[-1].get("name"):
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def shown(output):
    """An output without colour codes, and with the last state of each progress line; words in place of a widget."""
    if output.output_type == "stream":
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.text).replace("\r\n", "\n").rstrip("\r")
        output.text = re.sub(r"[^\n]*\r", "", text)
    elif "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
        output.data = {"text/markdown": "*Here stands a widget, where the notebook runs.*"}
    return output


# ---- API pages ----


def modules() -> dict[str, str]:
    """Public modules, and the first line of what each says of itself."""
    found = {}
    for path in (*sorted(ROOT.glob("rcgan_nb/**/*.py")), *sorted(ROOT.glob("drive_sync/**/*.py"))):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not parts[-1].startswith("_") or parts[-1] == "__init__":
            name = ".".join(part for part in parts if part != "__init__")
            found[name] = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]
    return found


def list_modules(app):
    """Write a page for each module, and one that lists them; what is right stays, and is not read again."""
    table = "".join(f"| [{name}]({name}.rst) | {says} |\n" for name, says in modules().items())
    hidden = "\n".join(modules())
    pages = {f"{name}.rst": f"{name}\n{'=' * len(name)}\n\n.. automodule:: {name}\n" for name in modules()}
    pages["index.md"] = f"# The library\n\n| module | |\n|---|---|\n{table}\n```{{toctree}}\n:hidden:\n{hidden}\n```\n"
    API.mkdir(exist_ok=True)
    for path in API.iterdir():
        if pages.get(path.name) == path.read_text():
            del pages[path.name]
        else:
            path.unlink()
    for name, text in pages.items():
        (API / name).write_text(text)


SECTION = "(?:Args|Attributes|Returns|Yields|Raises|Source)"


def plain_docstring(app, what, name, thing, options, lines):
    """Docstrings are plain text with `code` and sections (`Returns: scalar`): both as reStructuredText has them."""
    pieces = re.split(r"(`[^`]+`)", "\n".join(lines))
    pieces[0::2] = [re.sub(r"([*|\\]|(?<=\w)_(?!\w))", r"\\\1", piece) for piece in pieces[0::2]]
    pieces[1::2] = [f"`{piece}`" for piece in pieces[1::2]]
    begun = rf"^({SECTION}): (\S.*(?:\n(?!{SECTION}:).+)*)"
    lines[:] = re.sub(begun, as_field, "".join(pieces), flags=re.M).split("\n")


def as_field(match) -> str:
    return f"\n:{match[1]}: " + re.sub(r"\n\s*", "\n    ", match[2])


# ---- pages ----


def read(app, docname, source):
    """What a page is made of, where that is not the file alone."""
    folder, _, name = docname.rpartition("/")
    if folder == "notebooks" and name != "README":
        source[0] = published(name)
        app.env.note_dependency(EXECUTED / f"{name}.ipynb")
    elif folder != "api":
        source[0] = re.sub(r"\]\(((?:rcgan_nb|drive_sync)[\w/]*)(?:\.py)?\)", api_link, source[0])
    if docname == root_doc:
        source[0] += toctree("Notebooks", "notebooks/README", *(f"notebooks/{name}" for name in on_the_map()))
        source[0] += toctree("Reference", "api/index", "runs/README", "CONTRIBUTING", "CHANGELOG")


def api_link(match) -> str:
    return f"](api/{match[1].strip('/').replace('/', '.')}.rst)"


def toctree(caption, *pages) -> str:
    return "\n```{toctree}\n:hidden:\n:caption: " + caption + "\n\n" + "\n".join(pages) + "\n```\n"


def math(visitor, node):
    """Formulas as MathML, which browsers show by themselves."""
    tex = re.sub(r"\\frac(\d)(\d)", r"\\frac{\1}{\2}", node.astext())  # docutils takes 12 for one number
    try:
        block = isinstance(node, nodes.math_block)
        mathml = tex2mathml(tex, as_block=block)
        visitor.body.append(f'<div style="padding: 0.5em 0">{mathml}</div>' if block else mathml)
    except MathError as error:
        logging.getLogger(__name__).warning("the formula %s: %s", tex, error, location=node)
    raise nodes.SkipNode


def front_page(app, error):
    if not error:
        shutil.copy(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")


def setup(app):
    app.connect("builder-inited", list_modules)
    app.connect("autodoc-process-docstring", plain_docstring, priority=400)  # before napoleon
    app.connect("source-read", read)
    app.connect("build-finished", front_page)
    app.add_html_math_renderer("mathml", (math, None), (math, None))


# ---- execution ----


def execute(name, key):
    """Run a notebook as papermill does, with its small settings; what is whole replaces what was there."""
    part = EXECUTED / f"{name}.part.ipynb"
    book = execute_notebook(NOTEBOOKS / f"{name}.ipynb", part, SETTINGS[name], cwd=NOTEBOOKS)
    if any(cell.cell_type == "code" and cell.source and not cell.execution_count for cell in book.cells):
        raise RuntimeError("some cells were not executed; the kernel has died.")
    book.metadata["executed_with"], book.metadata["key"] = SETTINGS[name], key
    nbformat.write(book, part)
    part.replace(EXECUTED / f"{name}.ipynb")


def persons():
    """A set for deidentify.ipynb that nothing is fetched for: 40 persons, known by frequency, with 6 series each."""
    import numpy as np

    from rcgan_nb.series import SeriesSet

    random = np.random.default_rng(0)
    person, y = np.arange(240) // 6, np.arange(240, dtype=np.int32) % 2
    waves = np.sin(np.linspace(0, 1, 24) * (4 + person[:, None] / 3) + random.uniform(0, 6, (240, 1)))
    x = waves + np.linspace(-1, 1, 24) * np.where(y, 1, -1)[:, None] + 0.1 * random.normal(size=(240, 24))
    classes = ("falling", "rising")
    SeriesSet(x=x[:, :, None], y=y, classes=classes, groups=person.astype(str)).save(SITE / "persons.npz")


def key(name) -> str:
    """Changes with the notebook, its settings, the library, and with the training whose run others read."""
    files = [NOTEBOOKS / f"{name}.ipynb", NOTEBOOKS / "train.ipynb", *sorted(ROOT.glob("rcgan_nb/**/*.py"))]
    settings = json.dumps([SETTINGS[name], SETTINGS["train"]]).encode()
    return hashlib.sha256(settings + b"".join(path.read_bytes() for path in files)).hexdigest()


def main():
    """Execute what has changed; runs go to a folder of their own."""
    EXECUTED.mkdir(parents=True, exist_ok=True)
    os.environ["RCGAN_RUNS"] = str(SITE / "runs")
    persons()
    for number, name in enumerate(SETTINGS, 1):
        path, wanted = EXECUTED / f"{name}.ipynb", key(name)
        if path.exists() and nbformat.read(path, 4).metadata.get("key") == wanted:
            continue
        print(f"{name}.ipynb, {number} of {len(SETTINGS)}", flush=True)
        if name == "train":
            shutil.rmtree(SITE / "runs", ignore_errors=True)
        try:
            execute(name, wanted)
        except Exception as error:
            sys.exit(f"{name}.ipynb: {error}")


if __name__ == "__main__":
    main()
