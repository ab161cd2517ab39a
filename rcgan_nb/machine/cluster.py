"""Machines reached by ssh: what the user's profiles say of them, commands run there, files sent there.

A folder there holds code/ (the project), data/, runs/ and jobs/ (see slurm.py). Keys of hosts are always checked, no
password is ever asked for or kept: ssh keys, an agent, or a connection that your ssh config shares let us in.
"""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from rcgan_nb import paths
from rcgan_nb.config import ClusterConfig, did_you_mean

PROJECT = ("rcgan_nb", "notebooks", "drive_sync", "pyproject.toml", "requirements.lock", "README.md", "LICENSE")
SECRET = re.compile(r"pass(word|phrase)?|secret|token", re.I)
PLAIN = {"host": r"[\w.:%][\w.:%-]*", "user": r"[\w.@][\w.@-]*", "folder": r"(~/)?[\w./+@][\w./+@-]*"}
SSH = ["BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=20", "ClearAllForwardings=yes"]
SSH += ["ServerAliveInterval=15", "ServerAliveCountMax=4"]
# What was half sent lies in a hidden folder until all is there; the next time goes on with it.
RSYNC = ["rsync", "-rtO", "-s", "--delay-updates", "--partial-dir=.rsync-partial", "--timeout=300"]
VANISHED = 24  # rsync's word for files that went away while it read
OURS = 3  # exit code of `say`: its line is meant for the user
SAY = f'say() {{ echo "rcgan: $*" >&2; exit {OURS}; }}\n'
BEGIN = "-- rcgan begins --"  # what a login shell prints of its own accord lies before it
MAKE = """[ -d {folder} ] || mkdir -p -m 700 {folder}
mkdir -p {folder}/{{code,data,jobs,runs/prepared}}
"""
EXAMPLE = """[hpc]
host = "login.example.org"
folder = "rcgan_nb"
enter = "module load python; source ~/rcgan/bin/activate"
gres = "gpu:1"
time = "04:00:00"
memory = "16G"
"""


def profiles() -> Path:
    """The file of all profiles: clusters.toml in the user's folder for settings."""
    return paths.personal() / "clusters.toml"


def profile(name, **changes) -> "Host":
    """The machine of this profile; changes take the place of what it says.

    Raises: ValueError, FileNotFoundError: there is no such profile, or it cannot be used; nothing has been asked of any
        machine.
    """
    file = profiles()
    if not file.exists():
        raise FileNotFoundError(f"there are no profiles yet; write one into {file}, such as:\n\n{EXAMPLE}")
    try:
        known = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not TOML: {error}.") from error
    if not isinstance(known.get(name), dict):
        raise ValueError(
            f"there is no profile {name!r} in {file}; {did_you_mean(name, known)}known: {', '.join(known) or 'none'}."
        )
    try:
        paths.inside(file.parent, name)
        return Host(name, _checked(known[name] | changes))
    except ValueError as error:
        raise ValueError(f"profile {name!r} of {file}: {error}") from None


def _checked(values) -> ClusterConfig:
    for key in values:
        if SECRET.fullmatch(key):
            raise ValueError(f"{key!r} does not belong in a file, and is not used: ssh keys or an agent let us in.")
    config = ClusterConfig.make(**values)
    for key, pattern in PLAIN.items():
        if getattr(config, key) and not re.fullmatch(pattern, getattr(config, key)):
            raise ValueError(f"{key} must be plain, without spaces or quotes, but {getattr(config, key)!r} came.")
    if not config.host:
        raise ValueError('it needs a host, as in host = "login.example.org".')
    return config


@dataclass(frozen=True)
class Host:
    """A machine and its profile."""

    name: str
    config: ClusterConfig

    @property
    def folder(self) -> str:
        """The folder there, absolute or below the home folder, where ssh and rsync begin."""
        return self.config.folder.removeprefix("~/").rstrip("/") or "/"

    @property
    def origin(self) -> str:
        """Tells this folder on this machine from every other."""
        return f"{self.config.user}@{self.config.host}:{self.config.port}:{self.folder}"

    def _ssh(self) -> list[str]:
        c = self.config
        words = ["ssh", *(word for option in SSH for word in ("-o", option))]
        words += ["-F", str(Path(c.ssh_config).expanduser())] if c.ssh_config else []
        words += ["-l", c.user] if c.user else []
        return words + (["-p", str(c.port)] if c.port else [])

    def run(self, script) -> str:
        """Run bash there, in the home folder, once the environment is entered; returns what it prints.

        The shell reads all of the script before it does any of it: a line that is cut does nothing.

        Raises: ValueError: the script says what is wrong, with `say`. OSError: the machine cannot be reached, or a
            command fails; with what was said.
        """
        whole = f"{{\n{self.config.enter}\nset -e\ncd\n{SAY}echo '{BEGIN}'\n{script}\n}} </dev/null\n"
        _require("ssh")
        done = subprocess.run(
            [*self._ssh(), "-T", self.config.host, "exec bash -l -s"], input=whole, capture_output=True, text=True
        )
        if done.returncode == OURS and "rcgan: " in done.stderr:
            raise ValueError(f"{self.name}: {done.stderr.split('rcgan: ', 1)[1].strip()}")
        if done.returncode:
            raise self._why(done.returncode, done.stderr)
        return done.stdout.split(f"{BEGIN}\n", 1)[-1]

    def send(self, sources, target, *options, dry=False) -> list[str]:
        """Copy files and folders of this machine into a folder there; returns what it would copy and delete, if `dry`.

        Raises: OSError: not all went; what did is kept there, and the next time goes on.
        """
        sources = [str(source) for source in sources]
        return self._rsync([*options, "--", *sources, f"{self._place}/{target}/"], dry).stdout.splitlines()

    def fetch(self, sources, target, *options) -> bool:
        """Copy files and folders from there into a folder here, which no name from there leads out of.

        Returns: whether all that was there came; what went away while it was read did not.
        Raises: OSError: not all came; what was good stays, and the next time goes on.
        """
        Path(target).mkdir(parents=True, exist_ok=True)
        options = [*options, "--modify-window=-1"]  # else what changed twice within a second would be missed
        return not self._rsync([*options, "--", *(f"{self._place}/{s}" for s in sources), f"{target}/"]).returncode

    @property
    def _place(self) -> str:
        host = self.config.host
        return f"[{host}]:{self.folder}" if ":" in host else f"{host}:{self.folder}"

    def _rsync(self, words, dry=False):
        _require("rsync")
        how = ["--dry-run", "--out-format=%o %n"] if dry else ["--info=progress2"] if sys.stdout.isatty() else []
        command = [*RSYNC, *how, "-e", shlex.join(self._ssh()), *words]
        seen = None if sys.stdout.isatty() and not dry else subprocess.PIPE
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=seen, stderr=subprocess.PIPE, text=True)
        if done.returncode not in (0, VANISHED):
            raise self._why(done.returncode, done.stderr)
        return done

    def _why(self, code, said) -> OSError:
        """What ssh or rsync could not do, and what to do about it."""
        c, last = self.config, " ".join(said.split("\n")[-4:]).strip()
        at = f"[{c.host}]:{c.port}" if c.port not in (0, 22) else c.host
        scan = f"ssh-keyscan {f'-p {c.port} ' if c.port else ''}{c.host}"
        if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said:
            what = (
                f"{at} shows another key than before. Ask who runs it whether that is so; if it is: ssh-keygen -R {at}"
            )
        elif "Host key verification failed" in said or "No host key is known" in said:
            what = (
                f"the key of {at} is not known, so that it may be another machine. Compare what `{scan}` prints with "
                "what who runs it tells you, then add that line to ~/.ssh/known_hosts (or: ssh there once, and say yes)"
            )
        elif "Permission denied" in said:
            what = f"{at} does not let us in without a password. Give it your key: ssh-copy-id, or ssh-add for an agent"
        elif code == 255:
            what = f"{at} cannot be reached by ssh"
        else:
            what = f"{at} ended with exit code {code}"
        return OSError(f"{self.name}: {what}. It said: {last or 'nothing'}")


def _require(program):
    if not shutil.which(program):
        raise FileNotFoundError(f"{program} is not installed on this machine; install it first.")


def push(host, data=(), *, dry=False) -> list[str]:
    """Send the project, without runs, and these data sets; returns what would be done, if `dry`.

    What the project has no more goes there, too, within rcgan_nb/, notebooks/ and drive_sync/ alone.

    Args:
        data: names in the data folder or of prepared sets; none is sent that is not named.
    Raises: FileNotFoundError: there is no such set. OSError: the machine cannot be reached; see Host.
    """
    folders = [_data(name) for name in data]
    made = "" if dry else MAKE.format(folder=host.folder)
    new = host.run(
        f"command -v rsync >/dev/null || say rsync is not installed there\n{made}ls -d {host.folder}/code || :"
    )
    if dry and not new:
        return [f"make {host.folder} there", *(f"send {path}" for path in [*project(), *(path for path, _ in folders)])]
    # By content: another checkout has other times. Python's own leftovers stay, there as here.
    options = ["--checksum", "--delete-delay", "--exclude=__pycache__", "--exclude=.*"]
    done = host.send(project(), "code", *options, dry=dry)
    for path, target in folders:
        done += host.send([path], target, "-L", dry=dry)
    return done


def project() -> list[Path]:
    """What is needed there: of a checkout its code, notebooks and what installs it; else code and notebooks."""
    if (paths.CHECKOUT / "notebooks").is_dir():
        return [paths.CHECKOUT / name for name in PROJECT if (paths.CHECKOUT / name).exists()]
    return [Path(__file__).parents[1], paths.notebooks()]


def _data(name) -> tuple[Path, str]:
    """Where a data set lies, and the folder there that it goes to."""
    found = ((paths.below(paths.data(), name), "data"), (paths.prepared(name), "runs/prepared"))
    for path, target in found:
        if path.exists():
            return path, target
    raise FileNotFoundError(f"there are no data {name!r}: neither {found[0][0]} nor {found[1][0]} exists.")
