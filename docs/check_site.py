"""Check a built site: links and anchors lead somewhere, no page needs another host.

Run it with: python docs/check_site.py docs/_build/html
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"img": "src", "script": "src", "source": "src", "iframe": "src"}
"""Tags that a browser follows by itself, and in which attribute; `link` aside."""

NOT_FETCHED = {"canonical", "next", "prev", "search", "index", "author"}
"""Kinds of `link` that only say something."""

CSS_ADDRESS = re.compile(r"(?:url\(\s*|@import\s+)['\"]?((?:https?:)?//[^'\")\s]+)")


class Page(HTMLParser):
    """The anchors of a page, its links, and what a browser fetches for it."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.fetched = set(), set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        """Note what a tag brings."""
        given = {name: value or "" for name, value in attributes}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        elif tag == "link" and given.get("rel") not in NOT_FETCHED:
            self.fetched.add(given.get("href", ""))
        elif tag in FETCHED and given.get(FETCHED[tag]):
            self.fetched.add(given[FETCHED[tag]])
        self.fetched |= set(CSS_ADDRESS.findall(given.get("style", "")))


def is_elsewhere(address):
    """Whether an address is one of another host."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def faults_of_link(root, pages, path, address):
    """Yield what is wrong with an address within the site that a page names."""
    parts = urlsplit(address)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target = target / "index.html"
    if not target.is_relative_to(root) or not target.exists():
        yield f"leads to {address}, which is not there"
    elif parts.fragment and target in pages:
        anchor = unquote(parts.fragment)
        if anchor not in pages[target].anchors:
            yield f"leads to {address}, and there is no such anchor"


def pages_of(root):
    """The pages of a site; what the theme has in _static are templates."""
    paths = sorted(root.rglob("*.html"))
    return [path for path in paths if path.relative_to(root).parts[0] != "_static"]


def faults_of(root):
    """Yield each fault of the site in a folder, as a sentence."""
    pages = {path: Page(path) for path in pages_of(root)}
    if not pages:
        yield f"{root} holds no pages; build the site first"
    for path, page in pages.items():
        name = path.relative_to(root)
        for address in sorted(page.fetched):
            if is_elsewhere(address):
                yield f"{name} fetches {address} from another host"
        for address in sorted(page.links | page.fetched):
            if not is_elsewhere(address) and not address.startswith("data:"):
                for fault in faults_of_link(root, pages, path, address):
                    yield f"{name} {fault}"
    for path in sorted(root.rglob("*.css")):
        for address in CSS_ADDRESS.findall(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(root)} fetches {address} from another host"


def main():
    """Print the faults of the site in the folder that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("Name the folder of the built site, such as docs/_build/html.")
    root = Path(sys.argv[1]).resolve()
    faults = list(faults_of(root))
    for fault in faults:
        print(fault)
    print(f"{len(pages_of(root))} pages, {len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
