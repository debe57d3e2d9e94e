"""Read a built site as a browser does, with the network cut, and say what is wrong.

Every page is opened at the width of a desktop and of a telephone. Errors in the
console, requests to other hosts and pages wider than the telephone are faults; so are a
search that doesn't find `class_weight`, a button that doesn't copy and, with the folder
of npm's axe-core, what keeps people from reading. It takes screenshots.

Run it with: python docs/read_site.py docs/_build/html screenshots
             [--axe node_modules/axe-core] [--chromium /usr/bin/chromium]
"""

import argparse
import gzip
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from check_site import pages_of
from playwright.sync_api import sync_playwright

SIZES = {
    "desktop": {"width": 1280, "height": 900},
    "telephone": {"width": 390, "height": 844},
}
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
]
TEXT = {".html", ".css", ".js", ".svg", ".json"}

LOOKED_AT = [
    "index.html",
    "start.html",
    "user_guide.html",
    "mathematics.html",
    "gallery/index.html",
    "gallery/plot_tables.html",
    "api/skmlp.MLPSoftmaxClassifier.html",
]
"""Pages that axe-core reads, and that are drawn in the dark as well."""

MOST_BYTES, MOST_SECONDS, SLOWDOWN = 1_000_000, 2.0, 4
"""Most that the front page may weigh and take, and how slow a processor is made."""

USABLE = """
() => new Promise(resolve => {
  let last = performance.timing.domContentLoadedEventEnd - performance.timeOrigin;
  new PerformanceObserver(list => list.getEntries().forEach(
    task => { last = Math.max(last, task.startTime + task.duration); }
  )).observe({type: "longtask", buffered: true});
  setTimeout(() => resolve(last / 1000), 1000);
})
"""
"""Seconds until the page was parsed and no task kept it busy for 50 ms any more."""


TOO_WIDE = """
() => {
  const scrolls = ".math, pre, [class*=scrollable], [tabindex], mjx-container";
  const wide = [...document.querySelectorAll("article *")].filter(element => {
    const right = element.getBoundingClientRect().left + element.scrollWidth;
    return !element.closest(scrolls) && right > window.innerWidth + 1;
  });
  return wide
    .filter(one => !wide.some(other => other !== one && one.contains(other)))
    .map(one => one.tagName + " " + one.textContent.trim().slice(0, 40));
}
"""
"""The innermost of what sticks out of a page at the right and does not scroll."""


class Compressed(SimpleHTTPRequestHandler):
    """Serves files as hosts of pages do, text compressed."""

    def do_GET(self):
        """Answer with a file."""
        path = Path(self.translate_path(self.path))
        if path.suffix not in TEXT or not path.exists():
            super().do_GET()
            return
        body = gzip.compress(path.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Say nothing."""


@contextmanager
def served(root):
    """Serve a folder as long as the context lasts; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Compressed, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


class Reader:
    """Opens pages of a site in a browser and collects their faults.

    Parameters
    ----------
    browser : Browser
        Of playwright.
    site : str
        Address of the site.
    """

    def __init__(self, browser, site):
        self.browser, self.site, self.faults = browser, site, []

    @contextmanager
    def opened(self, name, size="desktop", colours="light"):
        """A page of the site, once it is there; what it does wrong is noted."""
        context = self.browser.new_context(
            viewport=SIZES[size],
            color_scheme=colours,
            permissions=["clipboard-read", "clipboard-write"],
        )
        page = context.new_page()
        page.on("console", partial(self.hear, name))
        page.on("pageerror", lambda error: self.note(name, f"fails: {error}"))
        page.on("request", partial(self.see, name))
        page.goto(self.site + name, wait_until="networkidle")
        yield page
        context.close()

    def note(self, name, fault):
        """Remember a fault, once."""
        if (name, fault) not in self.faults:
            self.faults.append((name, fault))

    def hear(self, name, message):
        """Note what the console says of errors."""
        if message.type == "error":
            self.note(name, f"says: {message.text}")

    def see(self, name, request):
        """Note a request that leaves the host."""
        if not request.url.startswith((self.site, "data:", "blob:")):
            self.note(name, f"asks for {request.url}")

    def look(self, name, folder, size, colours="light"):
        """Open a page, keep a picture of it, and note if it is too wide."""
        with self.opened(name, size, colours) as page:
            for element in page.evaluate(TOO_WIDE)[:3]:
                self.note(name, f"is too wide for a {size}: {element}")
            flat = name.replace("/", "-").removesuffix(".html")
            page.screenshot(path=folder / f"{flat}-{size}-{colours}.png")

    def search(self, word):
        """Search for a word, which must be found in the user guide."""
        with self.opened(f"search.html?q={word}") as page:
            page.wait_for_selector("ul.search li a", timeout=20_000)
            links = page.query_selector_all("ul.search a")
            if not any("user_guide" in link.get_attribute("href") for link in links):
                self.note("search.html", f"does not find {word}")

    def copy(self, name):
        """Press the first button that copies; the code must be what was copied."""
        with self.opened(name) as page:
            block = page.locator("div.highlight:has(button.copybtn)").first
            block.hover()
            block.locator("button.copybtn").click()
            copied = page.evaluate("navigator.clipboard.readText()")
            if copied.strip() != block.locator("pre").inner_text().strip():
                self.note(name, f"copies {copied!r}")

    def weigh(self, name):
        """Bytes that a page takes, and seconds until it is usable when slowed down."""
        with self.opened("search.html") as page:  # a page to measure from
            devtools = page.context.new_cdp_session(page)
            devtools.send("Network.enable")
            devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
            devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
            sizes = []
            devtools.on(
                "Network.loadingFinished",
                lambda event: sizes.append(event["encodedDataLength"]),
            )
            page.goto(self.site + name, wait_until="networkidle")
            seconds = page.evaluate(USABLE)
        if sum(sizes) > MOST_BYTES:
            self.note(name, f"weighs {sum(sizes):.0f} bytes")
        if seconds > MOST_SECONDS:
            self.note(name, f"is usable only after {seconds:.1f} s")
        return sum(sizes), seconds

    def check_access(self, name, axe):
        """Let axe-core look for what keeps people from reading a page."""
        with self.opened(name) as page:
            page.add_script_tag(path=axe / "axe.min.js")
            found = page.evaluate("axe.run()")["violations"]
        for rule in found:
            places = [node["target"] for node in rule["nodes"]]
            said = f"{rule['id']} ({rule['impact']}): {rule['help']}; {places[:3]}"
            if rule["impact"] in ("serious", "critical"):
                self.note(name, said)
            else:
                print(f"{name}: {said}")


def read(reader, root, folder, axe):
    """Read the whole site; the reader has the faults."""
    names = [path.relative_to(root).as_posix() for path in pages_of(root)]
    for size in SIZES:
        for name in names:
            reader.look(name, folder, size)
    for name in LOOKED_AT:
        reader.look(name, folder, "desktop", "dark")
        if axe is not None:
            reader.check_access(name, axe)
    reader.search("class_weight")
    reader.copy("start.html")
    n_bytes, seconds = reader.weigh("index.html")
    print(f"{len(names)} pages; the front page weighs {n_bytes / 1000:.0f} kB and is")
    print(f"usable after {seconds:.2f} s on a processor slowed down {SLOWDOWN} times")


def main():
    """Read the site that the command line names, and print its faults."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path, help="folder of the built site")
    parser.add_argument("pictures", type=Path, help="folder for screenshots")
    parser.add_argument("--axe", type=Path, help="folder of the npm package axe-core")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    given.pictures.mkdir(parents=True, exist_ok=True)
    if given.axe is None:
        print("without --axe, nobody looks for what keeps people from reading")
    root = given.site.resolve()
    with served(root) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=given.chromium, args=FLAGS)
        reader = Reader(browser, address)
        read(reader, root, given.pictures, given.axe)
        browser.close()
    for name, fault in reader.faults:
        print(f"{name} {fault}")
    print(f"{len(reader.faults)} faults")
    sys.exit(bool(reader.faults))


if __name__ == "__main__":
    main()
