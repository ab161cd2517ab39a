"""Runs with sheets of digits, reviewers, and what these write back."""

import dataclasses
import email
import json
import re
from email import policy
from urllib.parse import unquote

import numpy as np
from runs_made import run_at

from rcgan_nb import load, paths

PEOPLE = {"anna": "anna@lab.example", "bert": "bert@lab.example", "cleo": "cleo@lab.example"}


def runs(*names, dataset="digits", **summary):
    """Runs whose last samples are real digits with noise: the more, the later the name comes."""
    data = load("digits").part("test")
    rows = np.concatenate([np.flatnonzero(data.y == k)[:8] for k in range(10)])
    for k, name in enumerate(names):
        run = run_at(paths.runs() / name, 100)
        made = data.take(rows)
        noise = np.random.default_rng(k).normal(scale=4.0 * k, size=made.x.shape)
        dataclasses.replace(made, x=made.x + noise).save(run.path / "samples/step-0000100.npz")
        run.write_json("data.json", run.data | {"summary": run.data["summary"] | {"name": dataset} | summary})
    return list(names)


def people(**whom):
    paths.personal().mkdir(parents=True, exist_ok=True)
    lines = [f"{name} = {json.dumps(given)}" for name, given in (whom or PEOPLE).items()]
    (paths.personal() / "reviewers.toml").write_text("\n".join(lines) + "\n")


def links(raw) -> dict[str, tuple[str, str]]:
    """The links of a mail: what each says, to whom the mail goes that it opens, with which subject."""
    text = email.message_from_bytes(raw, policy=policy.default).get_body(("plain",)).get_content()
    found = re.findall(r"^(?:.*, or|(.*)): mailto:(\S+)\?subject=(\S+)&body=\S+$", text.replace("\r", ""), re.M)
    return {name or "leave": (unquote(to), unquote(subject)) for name, to, subject in found}


def reply(sender, to, subject, text="Just send this mail as it is.", **headers) -> bytes:
    message = email.message.EmailMessage(policy=policy.SMTP)
    for name, value in {"From": sender, "To": to, "Subject": subject, **headers}.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()
