"""The pages: built from a copy of the checkout, with one small notebook executed in the place of train.ipynb."""

import ast
import html
import importlib.util
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("sphinx", "myst_nb", "furo")
pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in NEEDED),
    reason="runs where Sphinx is installed: make .venv/sphinx",
)
CELLS = [
    "steps: int = 1",
    "from IPython.display import Image\n"
    f'Image(filename="{ROOT / "notebooks/pictures/train-panel.png"}", alt="A panel & its bar")',
    "import ipywidgets\nipywidgets.IntSlider()",
    'print("\\x1b[31mred\\x1b[0m\\n10 %\\r", end="", flush=True)\nprint("100 %")',
]


def small_notebook(cells):
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    code[0].metadata["tags"] = ["parameters"]
    text = nbformat.v4.new_markdown_cell("# A small one\n\nHalf: $\\frac12$, and\n\n$$x^2 \\le 1$$")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=[text, *code], metadata={"kernelspec": kernel})


@pytest.fixture(scope="module")
def conf(tmp_path_factory):
    """conf.py of a copy of the checkout, where train.ipynb is a small notebook and the only one that is executed."""
    copy = tmp_path_factory.mktemp("site") / "copy"
    for name in ("rcgan_nb", "drive_sync", "notebooks"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    (copy / "runs").mkdir()
    for name in (*(path.name for path in ROOT.glob("*.md")), "runs/README.md", "conf.py", "CITATION.cff", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    nbformat.write(small_notebook(CELLS), copy / "notebooks/train.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))  # conf.py puts its folder there
        patch.setenv("RCGAN_RUNS", "")
        spec = importlib.util.spec_from_file_location("site_conf", copy / "conf.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        patch.setattr(module, "SETTINGS", {"train": {"steps": 3}})
        yield module


@pytest.fixture(scope="module")
def site(conf):
    """The folder of the pages, and what the only execution left."""
    conf.main()
    executed = conf.EXECUTED / "train.ipynb"
    assert nbformat.read(executed, 4).metadata.get("widgets"), "the small notebook has a widget's state to take out"
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "--quiet", ".", "site/html"]
    done = subprocess.run(command, cwd=conf.ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return conf.SITE / "html"


class Seen(HTMLParser):
    """What a page shows and where it leads: links, what it fetches, images, text."""

    def __init__(self, path):
        super().__init__()
        self.links, self.fetched, self.images, self.text = [], [], [], ""
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "a":
            self.links.append(given.get("href") or "")
        else:
            self.fetched += [given[name] for name in ("src", "href", "data", "poster") if given.get(name)]
        if tag == "img":
            self.images.append(given)
        self.fetched += re.findall(r"url\(['\"]?([^'\")]+)", given.get("style") or "")

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def pages(site):
    return {str(path.relative_to(site)): Seen(path) for path in site.rglob("*.html")}


def plain(text):
    return re.sub(r"\s+", " ", text.replace("`", ""))


def test_front_page_is_the_readme_and_leads_to_all(site, pages):
    assert (site / "index.html").read_bytes() == (site / "README.html").read_bytes()
    lines = [line for line in (ROOT / "README.md").read_text().split("\n") if line]
    assert lines[0] == "# rcgan_nb" and lines[1] in plain(pages["index.html"].text)
    links = {link.partition("#")[0] for link in pages["index.html"].links}
    assert {"notebooks/train.html", "api/index.html", "runs/README.html", "CONTRIBUTING.html"} < links


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")))
def test_every_notebook_has_a_page_that_says_how_it_was_executed(conf, pages, name):
    page = pages[f"notebooks/{name}.html"]
    title = nbformat.read(conf.NOTEBOOKS / f"{name}.ipynb", 4).cells[0].source.split("\n")[0].removeprefix("# ")
    assert title in page.text and f"notebooks/{name}.html" in pages["index.html"].links
    said = "Executed with steps 3," if name == "train" else "Not executed yet"
    assert (f"Not executed: it needs {conf.NEEDS[name]}." if name in conf.NEEDS else said) in plain(page.text)


def test_every_notebook_is_executed_or_says_why_not():
    spec = importlib.util.spec_from_file_location("site_conf_as_it_is", ROOT / "conf.py")
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)
    names = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert sorted([*conf.SETTINGS, *conf.NEEDS]) == names == sorted(conf.on_the_map())


def test_every_module_has_a_page_with_its_docstrings(pages):
    for path in (*ROOT.glob("rcgan_nb/**/*.py"), *ROOT.glob("drive_sync/**/*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__main__":
            continue
        name = ".".join(parts).removesuffix(".__init__")
        tree = ast.parse(path.read_text())
        public = (ast.FunctionDef, ast.ClassDef)
        there = [tree, *(n for n in tree.body if isinstance(n, public) and not n.name.startswith("_"))]
        for said in filter(None, map(ast.get_docstring, there)):
            assert plain(said.split("\n\n")[0].split("\n")[0]) in plain(pages[f"api/{name}.html"].text), name
    text = plain(pages["api/rcgan_nb.stabilisers.html"].text)
    assert "(batch, seq_len, num_features)" in text and "arXiv:1801.04406" in text


def test_no_page_fetches_anything_from_elsewhere(site, pages):
    away = {name: [at for at in page.fetched if re.match(r"(\w+:)?//", at)] for name, page in pages.items()}
    assert {name: fetched for name, fetched in away.items() if fetched} == {}
    for path in site.rglob("*.css"):
        found = re.findall(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", path.read_text())
        assert not [one for pair in found for one in pair if re.match(r"(\w+:)?//", one)], path.name


def test_links_lead_somewhere(site, pages):
    for name, page in pages.items():
        for link in page.links + page.fetched:
            target = html.unescape(link).partition("#")[0].partition("?")[0]
            if target and not re.match(r"[a-z]+:", target):
                assert (site / name).parent.joinpath(target).exists(), f"{name}: {link}"
    text = (site / "CONTRIBUTING.html").read_text()
    assert re.search(r'href="api/rcgan_nb\.data\.synthetic\.html">(<[^>]+>)*rcgan_nb/data/synthetic\.py', text)


def test_outputs_are_clean_and_say_what_they_show(site, pages):
    page = pages["notebooks/train.html"]
    assert [image["alt"] for image in page.images] == ["A panel & its bar"]
    for name in pages:
        assert all(image.get("alt") for image in pages[name].images), name
    assert "red\n100 %" in page.text and "\x1b" not in page.text and "10 %\r" not in page.text
    assert "Here stands a widget" in page.text
    text = (site / "notebooks/train.html").read_text()
    assert re.search(r"<mfrac>\s*<mn>1</mn>\s*<mn>2</mn>\s*</mfrac>", text) and 'display="block"' in text


def test_executions_are_kept_until_something_changes(conf, site, monkeypatch, capsys):
    path, notebook = conf.EXECUTED / "train.ipynb", conf.NOTEBOOKS / "train.ipynb"
    before = path.read_bytes()
    conf.main()
    assert path.read_bytes() == before and "train.ipynb" not in capsys.readouterr().out
    monkeypatch.setattr(conf, "SETTINGS", {"train": {"steps": 4}})
    nbformat.write(small_notebook([*CELLS[:1], "1 / (steps - 4)"]), notebook)
    with pytest.raises(SystemExit, match=r"(?s)train\.ipynb: .*ZeroDivisionError"):
        conf.main()
    assert path.read_bytes() == before and "train.ipynb, 1 of 1" in capsys.readouterr().out
    nbformat.write(small_notebook([*CELLS[:1], "steps"]), notebook)
    conf.main()
    assert nbformat.read(path, 4).metadata.executed_with == {"steps": 4}


def test_pages_of_modules_are_written_only_where_they_change(conf):
    conf.list_modules(None)
    before = {path.name: path.stat().st_mtime_ns for path in conf.API.iterdir()}
    (conf.API / "rcgan_nb.gone.rst").write_text("a module that was")
    conf.list_modules(None)
    assert before == {path.name: path.stat().st_mtime_ns for path in conf.API.iterdir()}
    assert len(before) == len(conf.modules()) + 1
