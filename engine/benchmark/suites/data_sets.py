"""Where the data sets are to be had, and on what terms. None of them comes with the program."""

from dataclasses import dataclass

__all__ = ["MULTIFACE", "NOW", "W300", "DataSet"]


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a user without it has to know."""

    title: str
    url: str
    licence: str

    def missing(self, what: str, found: str = "") -> str:
        """One problem in words: what is missing, where to get it, on what terms."""
        so_far = f" ({found})" if found else ""
        return f"{what}{so_far}; {self.title} is to be had at {self.url}, licence: {self.licence}"


W300 = DataSet(
    "300-W",
    "https://ibug.doc.ic.ac.uk/resources/facial-point-annotations/",
    "research only, not for commercial use; see the page",
)
MULTIFACE = DataSet("Multiface", "https://github.com/facebookresearch/multiface", "CC BY-NC 4.0")
NOW = DataSet(
    "NoW",
    "https://now.is.tue.mpg.de",
    "non-commercial scientific research only, after registration",
)
