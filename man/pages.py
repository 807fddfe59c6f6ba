# SPDX-License-Identifier: Apache-2.0
"""What the checks of the man pages share: reading scdoc sources."""

import re
from pathlib import Path


class Page:
    """One page: its name, its section number, and its text by section."""

    def __init__(self, path):
        self.path = Path(path)
        text = self.path.read_text(encoding="utf-8")
        title = re.match(r"([\w-]+)\((\d)\)", text)
        if not title:
            raise ValueError(f"{self.path.name}: the first line isn't name(section)")
        self.name, self.number = title[1], title[2]
        self.sections = {}
        for part in re.split(r"^# ", text, flags=re.MULTILINE)[1:]:
            heading, _, body = part.partition("\n")
            self.sections[heading] = body

    def names(self):
        """The names before the dash in NAME."""
        before = self.sections.get("NAME", "").split(" - ")[0]
        return [name.strip() for name in before.split(",") if name.strip()]

    def blocks(self, heading):
        """The literal blocks of a section, as the reader sees them."""
        blocks = re.findall(r"^```\n(.*?)^```$", self.sections.get(heading, ""), re.DOTALL | re.MULTILINE)
        return [re.sub(r"\\(.)", r"\1", block) for block in blocks]

    def prose(self, heading):
        """A section without its literal blocks."""
        return re.sub(r"^```\n.*?^```$", "", self.sections.get(heading, ""), flags=re.DOTALL | re.MULTILINE)


def library_pages(folder):
    """Sections 3 and 7. The command's pages are checked with the command."""
    return [Page(path) for path in sorted(Path(folder).glob("*.[37].scd"))]
