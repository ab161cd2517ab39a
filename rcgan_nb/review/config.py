"""Settings of a review."""

from dataclasses import dataclass

from rcgan_nb import paths
from rcgan_nb.settings import Config, setting

QUESTIONS = ("pair", "rate")


@dataclass(frozen=True)
class ReviewConfig(Config):
    """Which runs are judged, by whom, and how often they are asked."""

    name: str = setting("review", "of the review; started again under its name, it goes on")
    runs: str = setting("latest", "names of runs, separated by commas; a * stands for anything, as in sweep-*")
    question: str = setting("pair", "which of two sheets looks more real, or rate one from 1 to 5", choices=QUESTIONS)
    rounds: int = setting(2, "pairs: with how many others each run is compared; and once with real series", low=1)
    reviewers: str = setting("", "names from reviewers.toml, separated by commas; empty asks all")
    per_item: int = setting(3, "how many people are asked the same", low=1)
    cap: int = setting(10, "mails that a person gets within 24 hours, from all reviews together", low=1)
    days: int = setting(14, "how long a mail can be answered", low=1)
    send: bool = setting(False, "send the mails, instead of only saying to whom they would go")
    collect: bool = setting(False, "fetch replies from the mailbox, too; ratings made here are counted in any case")

    def __post_init__(self):
        super().__post_init__()
        paths.inside(paths.runs(), self.name)

    def whom(self) -> list[str]:
        """Names of the people who are asked; none for all."""
        return [name.strip() for name in self.reviewers.split(",") if name.strip()]
