"""Solve and install environment.yml with the real conda solver (rattler), then run a notebook in the result.

The channel is a local one that holds this machine's Python and pip in genuine conda packages: conda-forge's own builds
of the two are what this does not prove. Usage: conda.py FOLDER PYTHON
"""

import asyncio
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import rattler
import yaml

ROOT = Path(__file__).resolve().parents[1]


def package(channel, subdir, name, version, files, *, depends=(), noarch=""):
    """Write one conda package of (path in the prefix, file) pairs; returns its record for repodata.json."""
    index = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": list(depends)}
    index |= {"subdir": subdir, "timestamp": 0} | ({"noarch": noarch} if noarch else {})
    target = channel / subdir / f"{name}-{version}-0.tar.bz2"
    target.parent.mkdir(parents=True, exist_ok=True)
    listed = []
    with tarfile.open(target, "w:bz2", compresslevel=1) as archive:

        def add(path, content, mode=0o644):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))

        for path, source in files:
            if source.is_symlink():
                archive.add(source, arcname=path, recursive=False)
                kind, content = "softlink", b""
            else:
                kind, content = "hardlink", source.read_bytes()
                add(path, content, source.stat().st_mode & 0o777)
            digest = hashlib.sha256(content).hexdigest()
            listed.append({"_path": path, "path_type": kind, "sha256": digest, "size_in_bytes": len(content)})
        add("info/index.json", json.dumps(index).encode())
        add("info/paths.json", json.dumps({"paths": listed, "paths_version": 1}).encode())
        add("info/files", "\n".join(path for path, _ in files).encode())
        if noarch:
            entry = {"noarch": {"type": "python", "entry_points": ["pip = pip._internal.cli.main:main"]}}
            add("info/link.json", json.dumps(entry | {"package_metadata_version": 1}).encode())
    packed = target.read_bytes()
    sums = {"sha256": hashlib.sha256(packed).hexdigest(), "md5": hashlib.md5(packed).hexdigest()}
    return {target.name: index | sums | {"size": len(packed)}}


def python_files(prefix):
    """This machine's Python without tests, caches and installed packages."""
    for path in sorted(prefix.rglob("*")):
        inside = path.relative_to(prefix).as_posix()
        skipped = any(f"/{part}/" in f"/{inside}" for part in ("site-packages", "__pycache__", "test", "tests"))
        foreign = inside.startswith("bin/") and not inside.startswith("bin/python")
        if skipped or foreign or inside.startswith("share/") or path.suffix == ".a":
            continue
        if path.is_symlink() or path.is_file():
            yield inside, path


def make_channel(channel, python):
    """A channel with python and pip. Returns the version of Python."""
    code = "import sys, platform; print(sys.base_prefix); print(platform.python_version())"
    prefix, version = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    wheels = channel / "wheels"
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", wheels, "pip"], check=True)
    wheel = next(wheels.glob("pip-*.whl"))
    zipfile.ZipFile(wheel).extractall(wheels / "pip")
    pip_files = [(f"site-packages/{p.relative_to(wheels / 'pip').as_posix()}", p) for p in (wheels / "pip").rglob("*")]
    pip_files = sorted(pair for pair in pip_files if pair[1].is_file())
    pip_version = wheel.name.split("-")[1]
    records = {
        "linux-64": package(channel, "linux-64", "python", version, list(python_files(Path(prefix)))),
        "noarch": package(channel, "noarch", "pip", pip_version, pip_files, depends=["python >=3.9"], noarch="python"),
    }
    for subdir, packages in records.items():
        repodata = {"info": {"subdir": subdir}, "packages": packages, "packages.conda": {}, "repodata_version": 1}
        (channel / subdir / "repodata.json").write_text(json.dumps(repodata))
    return version


async def install(channel, specs, prefix):
    found = await rattler.solve(
        [rattler.Channel(channel.resolve().as_uri())],
        [rattler.MatchSpec(spec) for spec in specs],
        platforms=["linux-64", "noarch"],
    )
    print("solved:", ", ".join(f"{record.name.normalized} {record.version}" for record in found))
    await rattler.install(found, target_prefix=prefix)


def main(folder, python):
    folder = Path(folder)
    version = make_channel(folder / "channel", python)
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    specs = [spec for spec in dependencies if isinstance(spec, str)]
    if not version.startswith("3.11"):
        print(f"environment.yml asks for Python 3.11 and this machine has {version}: the conda half is skipped")
        return
    asyncio.run(install(folder / "channel", specs, folder / "prefix"))
    here = folder / "prefix" / "bin"
    pip = [requirement for part in dependencies if isinstance(part, dict) for requirement in part["pip"]]
    # uv links what the test environment has downloaded; pip would fetch it all again. Both check the same hashes.
    uv = [str(ROOT / ".venv/bin/uv"), "pip", "install", "--quiet", "--python", str(here / "python")]
    subprocess.run([*uv, "--require-hashes", "--compile-bytecode", *" ".join(pip).split()], check=True, cwd=ROOT)
    subprocess.run([here / "python", "-m", "pip", "install", "-q", "--no-deps", "-e", "."], check=True, cwd=ROOT)
    settings = ["-p", "dataset", "sines", "-p", "steps", "4", "-p", "hidden_units", "8"]
    command = [here / "papermill", "--no-progress-bar", "notebooks/train.ipynb", str(folder / "out.ipynb"), *settings]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"RCGAN_RUNS": str(folder / "runs")})
    beats = [json.loads(path.read_text())["state"] for path in folder.glob("runs/*/heartbeat.json")]
    assert beats == ["finished"], beats
    print("environment.yml: solved, installed with hashes, a notebook ran to the end")


if __name__ == "__main__":
    main(*sys.argv[1:])
