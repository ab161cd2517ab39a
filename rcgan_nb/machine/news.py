"""What a run's owner is told by mail: its end and why, its last figures and samples, and how it goes on."""

from rcgan_nb import mail
from rcgan_nb.archive.run import Run


def require_way(*addresses):
    """Make sure, before anything starts, that mail to these addresses could go out.

    Raises: ValueError: an address is none, or no mail server is set; says how.
    """
    for address in filter(None, addresses):
        mail.compose(address, "", "")
        mail.server("smtp")  # which RCGAN_MAIL_FROM leaves open


def tell(run: Run, what: str, also="", *, progress=print):
    """Write to the address in the run's setting `mail`, and to another; what cannot be sent now is sent later.

    A mail that fails never fails a run, nor the guard, which may tell of one that was moved meanwhile. Runs of
    restricted data send no pictures.
    """
    try:
        addresses = {run.config.mail, also}
    except (OSError, ValueError) as error:
        return progress(f"no mail about run {run.name}, which {what}: {error}")
    for address in sorted(addresses - {""}):
        try:
            mail.send(address, f"rcgan_nb: run {run.name} {what}"[:150], text(run, what), pictures(run))
        except (OSError, ValueError) as error:
            progress(f"no mail to {address}: {error}")


def deliver(progress=print):
    """Try again what could not be sent."""
    try:
        mail.deliver()
    except (OSError, ValueError) as error:
        progress(f"mail waits: {error}")


def text(run, what) -> str:
    """The last figures of a run, and the command that goes on with it."""
    metrics = {name: values[-1] for name, values in run.metrics().items() if values and "/" not in name}
    watch = {name: values[-1] for name, values in run.watch().items() if values and name not in metrics}
    figures = [f"{name:>14}  {value:g}" for name, value in (metrics | watch).items()]
    lines = [f"Run {run.name} {what}.", "", *(figures or ["It has no figures yet."])]
    if run.status() != "finished":
        lines += ["", "It goes on with:", f"papermill train.ipynb more.ipynb -p resume {run.name}"]
    return "\n".join(lines) + "\n"


def pictures(run) -> list:
    if run.data.get("summary", {}).get("restricted"):
        return []
    return sorted(run.path.glob("samples/*.png"))[-1:]
