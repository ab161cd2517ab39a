"""What a sync would do, does and did, in words and bars."""

SEEN = ("get", "put", "mkdir", "rename", "delete", "trash")  # kinds of action that change anything


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

        return sync.run(on_bytes=lambda count: bars.advance(bar, count), on_done=on_done)


def faults(plan, summary) -> list[str]:
    """What failed or was left as it is, and why, a line for each."""
    lines = [f"  left     {path}{_why(why)}" for path, why in plan.left.items()]
    lines += [f"  FAILED   {path}{_why(why)}" for path, why in summary.failures.items()]
    return lines + ([summary.undeleted] if summary.undeleted else [])


def finished(plan, summary) -> str:
    """All that is to be said at the end.

    Raises: RuntimeError: something failed, and with it the notebook that shows this.
    """
    text = "\n".join([*faults(plan, summary), result(plan, summary)])
    if summary.code:
        raise RuntimeError(text)
    return text


def result(plan, summary) -> str:
    """One line on what was done."""
    said = ", ".join(f"{kind} {summary.done[kind]}" for kind in SEEN if summary.done[kind]) or "nothing to do"
    return (
        f"{plan.verb}: {said}; {summary.bytes:,} bytes in {summary.seconds:.1f} s; "
        f"{len(summary.failures)} failed, {len(plan.left)} left as they are."
    )
