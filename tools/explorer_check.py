"""See in a real browser that a report's latent explorer decodes what `elbo decode` does, by mouse, keyboard, finger and inputs; and that the
page's tables sort and filter and its figures open large.

Usage: explorer_check.py ELBO REPORT RESULTS [--shots FOLDER]     with pictures of it, narrow and wide, light and dark, still and on paper

Needs Python with playwright (`pip install playwright`) and Chromium: the system's, or that of `playwright install chromium`.
"""

import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    from playwright.sync_api import Page, sync_playwright
except ImportError:
    sys.exit("error: this Python has no playwright\nhint: `pip install playwright`, or name another: `./just python=PATH check-explorer`")

# Half a level of 256 on either side of what a canvas can show, and single against double precision.
ROUNDING = 1 / 255
WIDTHS = {"narrow": (390, 844), "wide": (1280, 900)}


def decoded(elbo: str, results: str, run: str, points: list[list[float]]) -> list[list[float]]:
    """The pixels of each image that the command makes of latents, `[channels, height, width]` in one row."""
    with tempfile.TemporaryDirectory() as folder:
        output = f"{folder}/images.npy"
        each = [f"--z={','.join(repr(value) for value in point)}" for point in points]
        subprocess.run([elbo, "decode", run, *each, "-o", output, "--results", results], check=True, stdout=subprocess.DEVNULL)
        content = Path(output).read_bytes()
    (length,) = struct.unpack_from("<H", content, 8)
    values = [min(max(value, 0.0), 1.0) for (value,) in struct.iter_unpack("<f", content[10 + length :])]
    size = len(values) // len(points)
    return [values[i * size : (i + 1) * size] for i in range(len(points))]


def difference(one: list[float], other: list[float]) -> float:
    """The largest of two images' pixels."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def settle(page: Page) -> None:
    """Until the next frames are drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def shown(page: Page, panel: int, channels: int) -> list[float]:
    """What a panel's canvas holds, `[channels, height, width]` in one row, in 0…1."""
    settle(page)
    script = "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    data = page.locator(f"#explorer-image-{panel}").evaluate(script)
    return [value / 255 for channel in range(channels) for value in data[channel::4]]


def move(page: Page, panel: int, model: dict, point: list[float]) -> None:
    """Sets a point by the inputs that a person has."""
    if model["plane"]:
        for axis, value in enumerate(point):
            page.fill(f"#explorer-{panel}-z{axis + 1}", repr(value))
        return
    sliders = page.locator(".panel").nth(panel).locator("input[type=range]")
    for i in range(sliders.count()):
        script = "(input, point) => { input.value = point[Number(input.dataset.dimension)]; input.dispatchEvent(new Event('input')); }"
        sliders.nth(i).evaluate(script, point)


def single(value: float) -> float:
    """The nearest number of single precision, which is what the command takes."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def points(model: dict, generator: random.Random) -> list[list[float]]:
    """Some points that sliders and planes reach; dimensions without slider stay at 0."""
    found = []
    for _ in range(6):
        z = [0.0] * len(model["dimensions"])
        if model["plane"]:
            z = [single(round(generator.uniform(*ends), 3)) for ends in model["plane"]["view"]]
        else:
            for dimension in model["dimensions"][:12]:
                z[dimension["index"]] = single(generator.uniform(dimension["low"], dimension["high"]))
        found.append(z)
    return found


def compare(page: Page, elbo: str, results: str, models: list[dict], channels: int) -> None:
    """Every model at some points, in the panel where it is chosen, against the command."""
    generator = random.Random(0)
    if len(models) > 1:
        page.locator("#explorer-linked").set_checked(False)
    for index, model in enumerate(models):
        run = model["run"]
        panel = index % min(2, len(models))
        if len(models) > 1:
            page.select_option(f"#explorer-model-{panel}", str(index))
        if not model["plane"]:
            page.get_by_role("button", name="z = 0").click()
        chosen = points(model, generator)
        worst = 0.0
        for point, expected in zip(chosen, decoded(elbo, results, run, chosen), strict=True):
            move(page, panel, model, point)
            worst = max(worst, difference(shown(page, panel, channels), expected))
        allowed = model["largest"] + ROUNDING
        print(f"{model['label']}: {worst:.5f} at most from `elbo decode`, allowed {allowed:.5f}")
        assert worst <= allowed, model["label"]
        if model["codes"]:
            # A path's end is the code of its image.
            page.locator("input[name=explorer-from]").nth(2 + index).check(force=True)
            (image,) = decoded(elbo, results, run, [model["codes"][2 + index]])
            assert difference(shown(page, panel, channels), image) <= allowed, f"the path of {model['label']}"


def by_hand(page: Page, models: list[dict], channels: int) -> None:
    """Dragging, arrow keys, a path that plays, and panels that move together."""
    linked = len(models) > 1
    if linked:
        for panel in range(2):
            page.select_option(f"#explorer-model-{panel}", str(panel))
        page.locator("#explorer-linked").set_checked(True)
    before = [shown(page, panel, channels) for panel in range(min(2, len(models)))]
    if models[0]["plane"]:
        box = page.locator(".field").first.bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.2, steps=4)
        page.mouse.up()
        settle(page)
        (left, right), (low, high) = models[0]["plane"]["view"]
        at = [page.locator(f"#explorer-0-z{axis}").evaluate("(input) => Number(input.value)") for axis in (1, 2)]
        assert abs(at[0] - (left + 0.8 * (right - left))) < 0.02 * (right - left), at
        assert abs(at[1] - (low + 0.8 * (high - low))) < 0.02 * (high - low), at
        assert difference(shown(page, 0, channels), before[0]) > 0.01, "dragging changes nothing"
        page.locator(".handle").first.focus()
        page.keyboard.press("Shift+ArrowLeft")
        settle(page)
        now = page.locator("#explorer-0-z1").evaluate("(input) => Number(input.value)")
        assert abs(now - (at[0] - 0.1 * (right - left))) < 0.02, (now, at)
        if linked:
            other = page.locator("#explorer-1-z1").evaluate("(input) => Number(input.value)")
            assert abs(other - now) < 0.02, "panels do not move together"
    else:
        slider = page.locator(".panel").first.locator("input[type=range]").first
        slider.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
    if linked:
        assert difference(shown(page, 1, channels), before[1]) > 0, "the other panel does not follow"
    if models[0]["codes"]:
        page.get_by_role("button", name="Play the path").click()
        page.wait_for_timeout(300)
        first = float(page.locator("#explorer-way").input_value())
        page.wait_for_timeout(300)
        assert float(page.locator("#explorer-way").input_value()) != first, "the path does not play"
        page.get_by_role("button", name="Stop").click()


def by_finger(browser, report: str, models: list[dict]) -> None:
    """A tap moves the point, and nothing is wider than a phone."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(report)
    wide = page.evaluate("() => document.documentElement.scrollWidth")
    assert wide <= 390, f"the page is {wide} pixels wide"
    if models[0]["plane"]:
        page.locator(".field").first.scroll_into_view_if_needed()
        box = page.locator(".field").first.bounding_box()
        page.touchscreen.tap(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.9)
        settle(page)
        (left, right), _ = models[0]["plane"]["view"]
        now = page.locator("#explorer-0-z1").evaluate("(input) => Number(input.value)")
        assert abs(now - (left + 0.9 * (right - left))) < 0.03 * (right - left), now
    context.close()


def tables_and_figures(page: Page) -> None:
    """A column sorts, up and down and back; rows are filtered; a figure opens large and closes."""
    tables = page.locator("figure.table table").filter(has=page.locator("thead button"))
    for i in range(tables.count()):
        table = tables.nth(i)
        rows = lambda: table.locator("tbody tr").evaluate_all("(rows) => rows.map((row) => row.id)")  # noqa: E731
        own = rows()
        header = table.locator("thead th").last
        column = table.locator("thead th").count() - 1
        shown = []
        for _ in range(2):
            header.locator("button").click()
            cells = table.locator(f"tbody tr td:nth-child({column + 1})").all_text_contents()
            numbers = [float(cell.split("±")[0].strip().replace("−", "-")) for cell in cells if cell != "–"]
            assert cells[: len(numbers)].count("–") == 0, "what is absent does not come last"
            shown.append(numbers)
        assert shown[0] == sorted(shown[0]) and shown[1] == shown[0][::-1], shown
        header.locator("button").click()
        assert rows() == own, "the third click does not give the own order back"
    filters = page.locator(".filter")
    if filters.count():
        filters.first.fill("no such row")
        figure = page.locator("figure.table", has=page.locator(".filter")).first
        assert figure.locator("tbody tr:visible").count() == 0
        filters.first.fill("")
        assert figure.locator("tbody tr:visible").count() > 0
    page.locator(".enlarge").last.focus()
    page.keyboard.press("Enter")
    large = page.locator("dialog.large svg")
    assert large.bounding_box()["width"] > 500
    page.keyboard.press("Escape")
    assert not page.locator("dialog.large").is_visible()


def without_scripts(browser, report: str) -> None:
    """The still picture is there, on paper too, and the explorer is not."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report)
    assert page.locator(".explorer .still svg").is_visible() and not page.locator(".explorer .live").is_visible()
    assert page.locator(".explorer .if-still").is_visible() and not page.locator(".explorer .if-live").is_visible()
    context.close()
    page = browser.new_page()
    page.goto(report)
    assert page.locator(".explorer .live").is_visible() and not page.locator(".explorer .still").is_visible()
    page.emulate_media(media="print")
    assert page.locator(".explorer .still svg").is_visible() and not page.locator(".explorer .live").is_visible()
    page.close()


def pictures(browser, report: str, folder: Path) -> None:
    """The explorer as it is seen."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (width, height) in WIDTHS.items():
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=2)
            page.goto(report)
            settle(page)
            page.locator("#explorer").screenshot(path=folder / f"{name}-{scheme}.png")
            page.close()
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(report)
    page.locator("#explorer").screenshot(path=folder / "no-scripts.png")
    context.close()
    page = browser.new_page(viewport={"width": 760, "height": 1000})
    page.goto(report)
    page.emulate_media(media="print")
    page.locator("#explorer").screenshot(path=folder / "print.png")
    page.close()


def main() -> None:
    arguments = sys.argv[1:]
    folder = None
    if "--shots" in arguments:
        place = arguments.index("--shots")
        folder = Path(arguments[place + 1])
        del arguments[place : place + 2]
    if len(arguments) != 3:
        sys.exit(__doc__)
    elbo, report, results = arguments
    report = Path(report).resolve().as_uri()
    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: complaints.append(request.url) if re.match("https?:", request.url) else None)
        page.goto(report)
        data = page.evaluate("() => JSON.parse(document.getElementById('explorer-data').textContent)")
        models, channels = data["models"], data["image"][0]
        compare(page, elbo, results, models, channels)
        by_hand(page, models, channels)
        tables_and_figures(page)
        without_scripts(browser, report)
        if folder is not None:
            pictures(browser, report, folder)
        by_finger(browser, report, models)
        assert not complaints, complaints
        browser.close()
    print("the explorer does what `elbo decode` does")


if __name__ == "__main__":
    main()
