"""A machine reached by ssh, on 127.0.0.1 and without privileges: sshd with keys of its own, and a Slurm of one node."""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from servers import free_port, until

CODE = Path(__file__).resolve().parents[1]
SSHD = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
SLURMD = shutil.which("slurmd") or shutil.which("/usr/sbin/slurmd")
CONTROLLER = shutil.which("slurmctld") or shutil.which("/usr/sbin/slurmctld")
HAS_SSHD = bool(SSHD and shutil.which("rsync"))
HAS_SLURM = bool(SLURMD and CONTROLLER and shutil.which("sbatch"))

SSHD_SETTINGS = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/id.pub
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
"""
SSH_SETTINGS = """
IdentityFile {folder}/id
IdentitiesOnly yes
UserKnownHostsFile {folder}/known_hosts
GlobalKnownHostsFile none
"""
SLURM_SETTINGS = """
ClusterName=here
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=1
MpiDefault=none
SwitchType=switch/none
JobCompType=jobcomp/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=10
MailProg=/bin/true
GresTypes=gpu
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={node} CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=n1 Default=YES MaxTime=INFINITE State=UP
"""


class Sshd:
    """An sshd on a free port that lets in whoever has its key; what it keeps lies in a folder of its own."""

    def __init__(self):
        self.folder, self.port = Path(tempfile.mkdtemp(prefix="sshd")), free_port()
        for name in ("host", "id"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], check=True)
        (self.folder / "sshd").write_text(SSHD_SETTINGS.format(folder=self.folder, port=self.port))
        (self.folder / "config").write_text(SSH_SETTINGS.format(folder=self.folder))
        key = " ".join((self.folder / "host.pub").read_text().split()[:2])
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {key}\n")
        (self.folder / "nobody").write_text("")
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.process = subprocess.Popen([SSHD, "-D", "-f", self.folder / "sshd", "-E", self.folder / "log"])
        until(self._listens)

    def _listens(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


class Slurm:
    """A Slurm of one node with two processors and no GPU; its jobs end with it."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="slurm"))
        self.settings = self.folder / "slurm.conf"
        ports = {"controller": free_port(), "node": free_port()}
        self.settings.write_text(SLURM_SETTINGS.format(folder=self.folder, user=getpass.getuser(), **ports))
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        self.environment = os.environ | {"SLURM_CONF": str(self.settings)}
        with open(self.folder / "out", "wb") as out:
            self.processes = [
                subprocess.Popen(
                    [program, "-D", *words, "-f", self.settings], env=self.environment, stdout=out, stderr=out
                )
                for program, *words in ((CONTROLLER,), (SLURMD, "-N", "n1"))
            ]
        try:
            until(lambda: self.ask("sinfo", "-h", "-o", "%T").strip() == "idle")
        except AssertionError:
            logs = [path.read_text() for path in self.folder.glob("*.log")]
            self.stop()
            raise AssertionError("\n".join(logs)) from None

    def ask(self, *words) -> str:
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60).stdout

    def stop(self):
        with contextlib.suppress(OSError):
            self.ask("scancel", "--state=RUNNING", "--full", "--signal=KILL", "-u", getpass.getuser())
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def profile(sshd, name, folder, slurm=None, **values):
    """The text of a profile of the machine behind this sshd, on which that Slurm starts jobs."""
    told = {key: os.environ[key] for key in ("CUDA_VISIBLE_DEVICES", "TF_NUM_INTRAOP_THREADS") if key in os.environ}
    told |= {"SLURM_CONF": slurm.settings} if slurm else {}
    enter = "export " + " ".join(f"{key}={value}" for key, value in told.items())
    values = {
        "host": "127.0.0.1",
        "port": sshd.port,
        "ssh_config": str(sshd.folder / "config"),
        "enter": enter,
    } | values
    values |= {"folder": str(folder), "python": sys.executable}
    return f"[{name}]\n" + "".join(f"{key} = {value!r}\n" for key, value in values.items())
