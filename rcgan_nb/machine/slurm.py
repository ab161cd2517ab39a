"""Jobs on a machine of cluster.py: workers that all run one command, started by Slurm or at once.

A job is a folder there, jobs/NAME: its script, what its command reads, its workers' logs and numbers. When a worker's
time is nearly up, Slurm sends USR1 to the script, that SIGTERM to the command, which keeps a checkpoint and ends; the
script has itself requeued, and the command goes on where it was.
"""

import base64
import json
import re
import shlex

NAME = re.compile(r"[\w.-]+")
LAST = 20  # jobs that are shown though they are over
FEWEST = 20  # seconds of work that the time of a worker must leave
NEEDS = ("tensorflow", "papermill", "ipykernel", "psutil", "optuna")
LOOK = "import importlib.util as u, sys; print(*[m for m in sys.argv[1:] if not u.find_spec(m)])"

ALIKE = """
{enter}
top=$(cd ../.. && pwd)
{places}set -m  # else what runs in the background, and all that it starts, would not hear Ctrl-C's signal
asked=
worker=
stop() {{ [ -z "$worker" ] || kill -TERM "$worker" 2>/dev/null || :; }}
trap 'asked=${{asked:-time}}; stop' USR1
trap 'asked=end; stop' TERM
{python} -m rcgan_nb.cli {command} </dev/null &
worker=$!
[ -z "$asked" ] || stop
wait "$worker"
code=$?
while kill -0 "$worker" 2>/dev/null; do  # a signal ends wait, not the worker
  wait "$worker"
  code=$?
done
"""
ROOM = """mkdir jobs/{name} 2>/dev/null || say "there is a job {name} already"
cd jobs/{name}
made=$PWD
trap 'rm -r "$made"' EXIT
"""
PLACES = """export RCGAN_RUNS="$top/runs" RCGAN_DATA="$top/data" PYTHONPATH="$top/code${PYTHONPATH:+:$PYTHONPATH}"
"""
ASK = """command -v sbatch >/dev/null || say 'there is no Slurm (no sbatch); without, set scheduler to none'
answer=$(sbatch --test-only job.sh 2>&1) || say "$answer"
"""
SUBMIT = """sbatch --parsable job.sh >id 2>said || say "$(cat said)"
echo "Slurm has it as job $(cat id). $(cat said)"
"""
AT_ONCE = """for k in $(seq {workers}); do
  nohup bash -l job.sh >log-$k.txt 2>&1 </dev/null &
  echo "$k $! $(ps -o lstart= -p $!)" >>pids
done
echo started {workers} at once
"""
AGAIN = """if [ "$asked" = time ] && [ "$code" != 0 ]; then
  echo "The time is nearly up; it goes on when Slurm starts this again."
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
"""
COLUMNS = ("job", "number", "worker", "state", "taken", "limit", "why")
FORGOTTEN = ("over", "", "", "Slurm knows nothing of it any more")
# A process is known by its number and when it began; a number alone may have been given to another's.
LIVES = 'kill -0 $pid 2>/dev/null && [ "$(ps -o lstart= -p $pid)" = "$began" ]'
JOBS = f"""cd {{folder}}/jobs 2>/dev/null || exit 0
ls -t{{pick}} | while read -r name; do
  [ ! -s "$name/id" ] || echo "job|$name|$(cat "$name/id")"
  [ ! -s "$name/pids" ] || while read -r k pid began; do
    if {LIVES}; then state=RUNNING; else state=over; fi
    echo "pid|$name||$k|$state|||process $pid"
  done <"$name/pids"
done
"""
QUEUE = """said=$(squeue -h -r -t all -u "$(id -un)" -o 'queue|%F|%K|%T|%M|%l|%r' 2>&1) || say "$said"
echo "$said"
sacct -n -X -P -u "$(id -un)" -S now-7days -o JobID,State,Elapsed,Timelimit,Reason 2>/dev/null | sed 's/^/ended|/' || :
"""
# TERM to the script alone, which hands it on: a second one would not wait for the checkpoint.
END = {"PENDING": "scancel --state=PENDING", "RUNNING": "scancel --batch --signal=TERM"}
END_HERE = f"grep '^{{worker}} ' pids | while read -r k pid began; do if {LIVES}; then kill -TERM $pid; fi; done"
RECORDS = """import json
from rcgan_nb import archive
from rcgan_nb.archive import finder
print(json.dumps(finder.rows(archive.survey().runs), default=str))"""


def script(config, name, command, workers) -> str:
    """What each worker of a job runs, in the job's folder.

    Args:
        command: words of `rcgan`.
    """
    body = ALIKE.format(enter=config.enter, places=PLACES, python=config.python, command=shlex.join(command))
    if config.scheduler == "none":
        return f"#!/bin/bash -l\n{body}exit $code\n"
    options = [f"--job-name={name}", f"--array=1-{workers}", "--ntasks=1", "--output=log-%a.txt", "--open-mode=append"]
    options += ["--requeue", f"--signal=B:USR1@{config.signal}"]
    asked = {"partition": config.partition, "gres": config.gres, "time": config.time, "mem": config.memory}
    asked["cpus-per-task"] = config.cpus
    options += [f"--{option}={value}" for option, value in asked.items() if value]
    options += [shlex.join(shlex.split(config.sbatch))] if config.sbatch else []
    return "\n".join(["#!/bin/bash -l", *(f"#SBATCH {option}" for option in options), body + AGAIN + "exit $code\n"])


def submit(host, name, command, files=None, *, first="", workers=1, dry=False) -> str:
    """Start a job; returns in a line what became of it.

    Args:
        command: words of `rcgan`, which run in the job's folder.
        files: bytes by name, for that folder.
        first: Python that runs there once, before any worker.
        dry: only ask Slurm whether and when it would start it.
    Raises: ValueError: it cannot be started, with the words of Slurm or whoever refuses it; nothing is left there then.
    """
    require(host.config, workers)
    files = (files or {}) | {"job.sh": script(host.config, name, command, workers).encode()}
    if not all(map(NAME.fullmatch, [name, *files])):
        raise ValueError(f"jobs and their files need plain names without spaces, but {[name, *files]} came.")
    lines = [_ready(host), ROOM.format(name=name)]
    for file, data in files.items():
        lines.append(f"base64 -d >{file} <<'END'\n{base64.b64encode(data).decode()}\nEND\n")
    slurm = host.config.scheduler == "slurm"
    lines.append(ASK if slurm else f"answer='would start {workers} at once'\n")
    if dry:
        lines.append("echo $answer\n")
    else:
        begin = f"{host.config.python} -c {shlex.quote(first)}"
        lines += [f'(top=$(cd ../.. && pwd)\n{PLACES}{begin}) >said 2>&1 || say "$(tail -n 3 said)"\n'] if first else []
        lines += [SUBMIT if slurm else AT_ONCE.format(workers=workers), "trap - EXIT\n"]
    return host.run("".join(lines)).strip()


def require(config, workers):
    """Refuse what cannot be asked for, before anybody is asked."""
    if workers < 1:
        raise ValueError(f"--workers must be at least 1, but {workers} came.")
    asked = [n for n in ("partition", "gres", "time", "memory", "cpus", "sbatch") if getattr(config, n)]
    if config.scheduler == "none" and asked:
        raise ValueError(f"without Slurm nobody would keep to {asked[0]}; leave it out, or set scheduler to slurm.")
    odd = [n for n in ("partition", "gres", "time", "memory") if re.search(r"[\s'\"]", getattr(config, n))]
    if odd:
        raise ValueError(f"{odd[0]} must be a word as Slurm knows it, but {getattr(config, odd[0])!r} came.")
    if config.time and seconds(config.time) < config.signal + FEWEST:
        raise ValueError(
            f"time {config.time} is too short: {config.signal} seconds of it are for the checkpoint (signal), and the "
            f"rest must be at least {FEWEST}."
        )


def seconds(time) -> int:
    """Seconds of a time as Slurm writes it: [DAYS-]HOURS:MINUTES:SECONDS, MINUTES[:SECONDS] or DAYS-HOURS[:MINUTES]."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", time)
    if not found:
        raise ValueError(f"a time is written as in 30, 04:00:00 or 1-12:00:00, but {time!r} came.")
    days, *parts = [int(part) if part else 0 for part in found.groups()]
    given = sum(part is not None for part in found.groups()[1:])
    if found[1] is None and given < 3:  # then minutes come first
        parts = [0, *parts[:2]]
    return ((days * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2]


def _ready(host) -> str:
    """Lines that refuse to start where code or packages are lacking."""
    where = f"{host.folder} on {host.config.host}"
    look = f"{host.config.python} -c {shlex.quote(LOOK)} {' '.join(NEEDS)}"
    install = f"cd {host.folder} && {host.config.python} -m pip install ./code"
    return (
        f"[ -d {host.folder}/code/rcgan_nb ] || say there is no project in {where}: rcgan cluster push {host.name}\n"
        f"cd {host.folder}\n"
        f"lacking=$({look} 2>&1) || say python there cannot be used: $lacking\n"
        f'[ -z "$lacking" ] || say python there lacks "$lacking", install them with: "{install}"\n'
        "mkdir -p jobs runs data\n"
    )


def workers(host, job="") -> list[dict]:
    """Workers of a job, or of the last jobs and those that live, each with the COLUMNS as text.

    Number is Slurm's, why says why it waits or ended.
    """
    jobs, queue, here = {}, {}, []
    pick = f" | grep -Fx -e {shlex.quote(job)}" if job else ""
    ask = JOBS.format(folder=host.folder, pick=pick) + (QUEUE if host.config.scheduler == "slurm" else "")
    for line in host.run(ask).splitlines():
        kind, *cells = line.split("|")
        if kind == "job":
            jobs[cells[1].split(";")[0]] = cells[0]
        elif kind == "pid":
            here.append(dict(zip(COLUMNS, cells, strict=True)))
        elif kind == "queue":
            queue.setdefault(cells[0], {})[cells[1] if cells[1].isdigit() else ""] = cells[2:]  # an array's own
        elif kind == "ended" and (found := re.fullmatch(r"(\d+)_(\d+)", cells[0])):  # what the queue knows is newer
            queue.setdefault(found[1], {}).setdefault(found[2], cells[1:])
    for number, name in jobs.items():
        for k, cells in sorted(queue.get(number, {"": FORGOTTEN}).items(), key=lambda item: int(item[0] or 0)):
            here.append(dict(zip(COLUMNS, (name, number, k, *cells), strict=True)))
    last = list(dict.fromkeys(worker["job"] for worker in here))[:LAST]
    return [worker for worker in here if worker["job"] in last or worker["state"] in END]


def records(host) -> list[dict]:
    """What the runs there say of themselves, as archive.finder.rows does: a run is judged by its record."""
    told = host.run(f"cd {host.folder}\ntop=$PWD\n{PLACES}{host.config.python} -c {shlex.quote(RECORDS)}")
    return json.loads(told.splitlines()[-1])


def cancel(host, name, *, dry=False) -> str:
    """End a job: what waits goes, what runs keeps a checkpoint first. Returns in text what was done.

    Raises: ValueError: there is no such job.
    """
    found = NAME.fullmatch(name) and workers(host, name)
    if not found:
        raise ValueError(f"there is no job {name!r}; rcgan cluster status {host.name} lists them.")
    living = [w for w in found if w["state"] in END]
    if living and not dry:
        host.run("\n".join([f"cd {host.folder}/jobs/{name}", *map(_end, living)]))
    told = ", ".join(f"{w['worker']} ({w['state'].lower()})" for w in living)
    return f"{name}: {'would end' if dry else 'ends'} worker {told}" if living else f"{name}: all of it is over"


def _end(worker) -> str:
    if worker["number"]:
        return f"{END[worker['state']]} {worker['number']}_{worker['worker']}"
    return END_HERE.format(worker=worker["worker"])
