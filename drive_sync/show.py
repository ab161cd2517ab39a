"""What a sync would do, does and did, in words and bars."""

SEEN = ("get", "put", "mkdir", "rename", "delete", "trash")  # kinds of action that change anything


def planned(*words, **options):
    """A Sync with these arguments, while the terminal says what is awaited."""
    from rich.console import Console

    from drive_sync.sync import Sync

    with Console(stderr=True).status("comparing this folder with the one in Drive ..."):
        return Sync(*words, **options)


def outlook(plan) -> str:
    """What a verb would do, a line for each file."""
    rows = plan.rows()
    count = len(plan.of(*SEEN))
    lines = [f"{plan.verb} would do {count} things, with {sum(row['bytes'] for row in rows):,} bytes:"]
    return "\n".join(lines + [f"  {row['do']:8} {row['path']}{_why(row['why'])}" for row in rows])


def _why(text):
    return f"  ({text})" if text else ""


def watched(sync):
    """Run a sync with a progress bar on standard error, or below a notebook's cell; returns its summary."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    todo, done = sync.plan.of(*SEEN), []
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task(f"{sync.verb} 0 of {len(todo)}", total=sum(action.size for action in todo) or None)

        def on_done(action):
            done.extend([action] if action.kind in SEEN else [])
            bars.update(bar, description=f"{sync.verb} {len(done)} of {len(todo)}")

        summary = sync.run(on_bytes=lambda count: bars.advance(bar, count), on_done=on_done)
        bars.refresh()  # below a cell rich does not draw the end by itself
    return summary


def faults(plan, summary) -> list[str]:
    """What failed or was left as it is, and why, a line for each reason."""
    lines = _by_reason("left", plan.left) + _by_reason("FAILED", summary.failures)
    return lines + ([summary.undeleted] if summary.undeleted else [])


def _by_reason(what, reasons):
    paths = {}
    for path, why in reasons.items():
        paths.setdefault(str(why), []).append(path)
    more = {why: f" and {len(some) - 3} more" if len(some) > 3 else "" for why, some in paths.items()}
    return [f"  {what:8} {', '.join(some[:3])}{more[why]}{_why(why)}" for why, some in paths.items()]


def finished(plan, summary) -> str:
    """All that is to be said at the end.

    Raises: RuntimeError: something failed, and with it the notebook that shows this.
    """
    text = "\n".join([*faults(plan, summary), result(plan, summary)])
    if summary.code:
        raise RuntimeError(text)
    return text


def result(plan, summary) -> str:
    """What was done, in a line or two."""
    said = ", ".join(f"{kind} {summary.done[kind]}" for kind in SEEN if summary.done[kind]) or "nothing to do"
    kept = f"\nWhat was replaced or deleted here lies in {summary.kept}." if summary.kept else ""
    return (
        f"{plan.verb}: {said}; {summary.bytes:,} bytes in {summary.seconds:.1f} s; "
        f"{len(summary.failures)} failed, {len(plan.left)} left as they are.{kept}"
    )
