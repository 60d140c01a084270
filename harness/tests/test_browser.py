# SPDX-License-Identifier: MIT
"""The report in a real browser, opened from disk."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import samples

from plumbline.catalog import read_catalog
from plumbline.difference import difference
from plumbline.errors import RuntimesError
from plumbline.export import diff_html
from plumbline.places import Places, find_places
from plumbline.report import write_report
from plumbline.report.performance import Sources, write_performance
from plumbline.results import read_many
from plumbline.runtimes import run_npm
from plumbline.ways_to_serve import measure_ways

IO = "loop/check/immediate-before-timeout-inside-io"
MAIN = "loop/check/unordered-from-main"
AXE = "4.14.1"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("browser")
    places = Places(find_places().root, samples.write_build(folder / "build"))
    index = write_report(
        read_catalog(places.corpus, places.rules),
        read_many(samples.write_results(folder / "results")),
        folder / "report", places,
    )
    return index.as_uri()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report of 3,000 cases and 8 implementations."""
    folder = tmp_path_factory.mktemp("large")
    build = samples.write_build(folder / "build")
    cases = [
        {**samples.CASES[n % 5], "id": f"{samples.CASES[n % 5]['id']}-{n}"}
        for n in range(3000)
    ]
    samples.write_lines(build / "corpus/corpus.jsonl", [
        {"kind": "corpus", "format": 1, "suite": "0.1.0",
         "cases": len(cases), "rules": 3}, *cases])
    answers = samples.good_cases()
    paths = [
        samples.write_lines(
            folder / f"impl{k}-1.jsonl",
            samples.results_lines(f"impl{k}", "1", [
                {**answers[n % 5], "id": case["id"]}
                for n, case in enumerate(cases)]))
        for k in range(8)
    ]
    places = Places(find_places().root, build)
    return write_report(read_catalog(places.corpus, places.rules),
                        read_many(paths), folder / "report", places).as_uri()


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core's script, from npm, kept where pinned runtimes are: of one
    version, since a later one may have other rules."""
    folder = find_places().runtimes / f"axe-core-{AXE}"
    script = folder / "node_modules/axe-core/axe.min.js"
    if not script.is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            run_npm(["install", "--no-audit", "--no-fund", "--prefix",
                     str(folder), f"axe-core@{AXE}"])
        except (RuntimesError, OSError) as error:
            pytest.skip(f"axe-core cannot be installed: {error}")
    return script.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    webdriver = pytest.importorskip(
        "selenium.webdriver", reason="python3-selenium is not installed"
    )
    service = pytest.importorskip("selenium.webdriver.chrome.service")
    browser = shutil.which("chromium")
    driver = shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in ("--headless", "--no-sandbox", "--disable-gpu",
                 "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    session = webdriver.Chrome(service=service.Service(driver),
                               options=options)
    # Axe looks at thousands of elements, and others use the machine as well.
    session.set_script_timeout(300)
    yield session
    session.quit()


@pytest.fixture()
def browser(chromium: Any, page: str) -> Iterator[Any]:
    """The report, freshly opened; no complaint in its console at the end."""
    chromium.get("about:blank")
    chromium.get(page)
    yield chromium
    log = [entry for entry in chromium.get_log("browser")
           if entry["level"] != "INFO"]
    assert log == []


def _find(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def _shown(browser: Any) -> list[str]:
    """The ids of the cases in view."""
    value: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('#cases tr.case')]"
        ".filter(r => r.offsetParent).map(r => r.dataset.id)"
    )
    return value


def _choose(browser: Any, box: str, value: str) -> None:
    browser.execute_script(
        "const s = document.getElementById(arguments[0]);"
        "s.value = arguments[1];"
        "s.dispatchEvent(new Event('input', {bubbles: true}));", box, value)


def _go(browser: Any, move: Callable[[], None]) -> None:
    """Go to another address of the page, which it reads in a later task."""
    browser.execute_script(
        "window.addressRead = false;"
        "addEventListener('hashchange', () => { addressRead = true; },"
        " {once: true});")
    move()
    _until(browser, "return addressRead")


def _until(browser: Any, script: str) -> None:
    """Wait until a script says that it is true."""
    wait = importlib.import_module("selenium.webdriver.support.wait")
    wait.WebDriverWait(browser, 120).until(
        lambda it: it.execute_script(script))


def _address(browser: Any) -> str:
    """What the page itself has for it."""
    return str(browser.execute_script("return location.href"))


def _resize(browser: Any, wide: int, tall: int) -> None:
    """And wait until the page has the size, and has drawn itself in it."""
    edge = browser.execute_script("return outerWidth - innerWidth")
    browser.set_window_size(wide, tall)
    _until(browser, f"return innerWidth === {wide - edge}")
    _settled(browser)


def _follow(browser: Any, href: str, within: str = "") -> None:
    """Click on the link to that address, if the page is not there."""
    link = _find(browser, f'{within} [href="{href}"]')
    if browser.execute_script("return location.hash") != href:
        _go(browser, link.click)


def _press(browser: Any, key: str) -> None:
    browser.switch_to.active_element.send_keys(key)


def test_every_case_is_a_row(browser: Any) -> None:
    """With a cell per implementation."""
    assert _shown(browser) == [case["id"] for case in samples.CASES]
    cells = browser.find_elements("css selector", "#cases td button")
    assert len(cells) == 2 * len(samples.CASES)
    assert browser.title == "Plumbline report"


def test_filters_work_and_are_kept_in_the_address(
    browser: Any, page: str
) -> None:
    """A link shows what its sender saw."""
    _find(browser, "#q").send_keys("TIMERS same")
    assert _shown(browser) == ["loop/timers/same-duration"]
    assert "q=TIMERS" in _address(browser)
    address = _address(browser)
    browser.get("about:blank")
    browser.get(address)
    assert _shown(browser) == ["loop/timers/same-duration"]
    assert _find(browser, "#count").text == "1 of 5 cases"


def test_each_number_of_the_overview_leads_to_its_cases(
    browser: Any
) -> None:
    """As many rows as it says, in cards and in the table of areas."""
    links = browser.execute_script(
        "return [...document.querySelectorAll('.cards a, td a.number')]"
        ".map(a => [a.getAttribute('href'), a.textContent])")
    assert len(links) >= 10
    seen = set()
    for href, text in links:
        _follow(browser, href)
        found = re.search(r"(\d+)(?:/(\d+))?", text)
        assert found
        verdict = re.search(r"verdict=(\w+)", href)
        seen.add(verdict and verdict[1])
        if found[2] and verdict:
            continue  # passed of counted, and what is shown are the others
        assert len(_shown(browser)) == int(found[2] or found[1]), href
    assert seen >= {None, "pass", "unexpected", "unsupported"}


def test_choices_say_how_many_cases_they_show(browser: Any) -> None:
    """With the other filters as they are."""
    def said() -> dict[str, int]:
        texts = browser.execute_script(
            "return [...document.getElementById('verdict').options].slice(1)"
            ".map(o => [o.value, o.textContent])")
        return {value: int(text[text.rindex("(") + 1:-1])
                for value, text in texts}

    for level in ("", "MUST"):
        for impl in ("", "node-20.20.2"):
            _choose(browser, "verdict", "")
            _choose(browser, "level", level)
            _choose(browser, "impl", impl)
            counts = said()
            assert counts["unexpected"] == (1 if level else 2)
            for value, count in counts.items():
                _choose(browser, "verdict", value)
                assert len(_shown(browser)) == count, value
                assert said() == counts


def test_back_closes_what_was_opened(browser: Any, page: str) -> None:
    """And the next case is no step."""
    _find(browser, f"tr[data-id='{IO}'] td:nth-child(3) button").click()
    _press(browser, "j")
    assert "unordered" in _address(browser)
    _find(browser, "#detail h3 .link").click()
    assert "rule=" in _address(browser)
    _go(browser, browser.back)
    assert _find(browser, "#detail h2").text.endswith("unordered-from-main")
    _go(browser, browser.back)
    assert not _find(browser, "#detail").is_displayed()
    assert browser.title == "Plumbline report"
    _go(browser, browser.forward)
    assert _find(browser, "#detail").is_displayed()


def test_a_link_and_the_program_can_be_copied(browser: Any) -> None:
    """The buttons say for a while that they did it, and it is what they
    say."""
    browser.execute_script(
        "window.copied = [];"
        "window.later = [];"
        "window.setTimeout = (call, ms) => later.push([call, ms]);"
        "navigator.clipboard.writeText = "
        "text => (copied.push(text), Promise.resolve());")
    _find(browser, f"tr[data-id='{IO}'] td:nth-child(3) button").click()
    for button in browser.find_elements("css selector", "#detail .copy"):
        button.click()
    _until(browser, "return later.length === 3")
    link, command, program = browser.execute_script("return copied")
    assert link == _address(browser)
    assert command.startswith("./plumbline run node@20.20.2 --select loop/")
    assert "immediate" in program
    assert _find(browser, "#detail header .copy").text == "copied"
    assert browser.execute_script("return later[0][1]") >= 1000
    browser.execute_script("later[0][0]()")
    assert _find(browser, "#detail header .copy").text == "link"


def test_verdicts_levels_and_disagreement_filter(browser: Any) -> None:
    """Alone and together."""
    _choose(browser, "verdict", "unexpected")
    assert _shown(browser) == [IO, "loop/timers/same-duration"]
    _choose(browser, "level", "MUST")
    assert _shown(browser) == [IO]
    _choose(browser, "verdict", "disagree")
    assert _shown(browser) == [IO, MAIN]
    _choose(browser, "verdict", "crash")
    assert _shown(browser) == []
    _find(browser, "#reset").click()
    assert len(_shown(browser)) == 5


def test_a_cell_opens_its_case(browser: Any) -> None:
    """With explanation, marked event, program and command."""
    _find(browser, f"tr[data-id='{IO}'] td:nth-child(3) button").click()
    pane = _find(browser, "#detail")
    assert pane.is_displayed()
    text = pane.text
    assert "expected immediate before timeout" in text
    assert "LOOP-CHECK-2" in text.upper()
    assert f"./plumbline run node@20.20.2 --select {IO}" in text
    assert _find(browser, "#detail .trace .at").text == "timeout"
    assert "in=node-20.20.2" in _address(browser)
    _find(browser, "#detail [data-key='javascript']").click()
    assert "setImmediate" in _find(browser, "#detail").text


def test_a_litmus_case_shows_its_histogram(browser: Any, page: str) -> None:
    """Opened by its address."""
    browser.get("about:blank")
    browser.get(f"{page}#case={MAIN}&in=ref-0.1.0")
    rows = browser.find_elements("css selector", "#detail .hist tr")
    assert [row.text.split()[0] for row in rows] == ["31", "19"]
    assert all("allowed" in row.text for row in rows)


def test_the_keyboard_is_enough(browser: Any) -> None:
    """Search, move, open, go on, close."""
    _find(browser, "body").send_keys("/")
    assert browser.switch_to.active_element.get_attribute("id") == "q"
    browser.execute_script(
        "document.querySelector('#cases td button').focus()")
    _press(browser, "\ue014")  # right
    _press(browser, "\ue015")  # down
    _press(browser, "\ue007")  # enter
    assert f"case={MAIN}".replace("/", "%2F") in _address(browser)
    assert "in=node-20.20.2" in _address(browser)
    _press(browser, "j")
    assert "same-duration" in _address(browser)
    _press(browser, "k")
    assert "unordered" in _address(browser)
    _press(browser, "\ue00c")  # escape
    assert not _find(browser, "#detail").is_displayed()
    assert "case=" not in _address(browser)


def test_hostile_text_stays_text(browser: Any) -> None:
    """In every place where the samples put it."""
    case = "loop/timers/same-duration"
    _find(browser, f"tr[data-id='{case}'] td:nth-child(3) button").click()
    assert samples.HOSTILE in _find(browser, "#detail").text
    assert browser.find_elements("css selector", "#detail img") == []
    assert browser.title == f"{case} · Plumbline report"


def test_a_phone_has_no_sideways_page(browser: Any) -> None:
    """Wide tables scroll by themselves."""
    _resize(browser, 500, 900)
    try:
        wide = browser.execute_script(
            "return document.documentElement.scrollWidth"
            " <= document.documentElement.clientWidth")
        assert wide
        _find(browser, f"tr[data-id='{IO}'] a").click()
        width = browser.execute_script(
            "return document.getElementById('detail').offsetWidth"
            " / document.documentElement.clientWidth")
        assert width == 1
    finally:
        _resize(browser, 1280, 1000)


def test_what_a_cell_belongs_to_stays_in_view(
    browser: Any, large: str
) -> None:
    """Column heads below the filters; on a phone, the names of the cases."""
    browser.get("about:blank")
    browser.get(large)
    browser.execute_script("scrollTo(0, 20000)")
    _settled(browser)
    bar, head = browser.execute_script(
        "return [document.getElementById('filters'),"
        " document.querySelector('#cases thead th')]"
        ".map(e => e.getBoundingClientRect().bottom)")
    assert 0 < bar < head < bar + 90
    _resize(browser, 500, 900)
    try:
        browser.execute_script("scrollTo(0, 0)")
        _settled(browser)
        left = browser.execute_script(
            "const box = document.querySelector('#matrix .scroll');"
            "box.scrollLeft = 150;"
            "return [box.scrollLeft, ...['.case th', '.rule .id'].map(s =>"
            " document.querySelector('#cases ' + s).getBoundingClientRect()"
            ".left - box.getBoundingClientRect().left)]")
        assert left[0] > 100
        assert all(0 <= edge < 20 for edge in left[1:])
    finally:
        _resize(browser, 1280, 1000)


def test_dark_and_light(browser: Any) -> None:
    """One button, and the page changes."""
    def paper() -> str:
        return str(browser.execute_script(
            "return getComputedStyle(document.body).backgroundColor"))

    before = paper()
    _find(browser, "#theme").click()
    assert paper() != before
    _find(browser, "#theme").click()
    assert paper() == before


def _rows(browser: Any) -> list[tuple[str, float]]:
    """The rows of cases in the page: id, and top edge in pixels."""
    value: list[list[Any]] = browser.execute_script(
        "return [...document.querySelectorAll('#cases tr.case')].map(r =>"
        "[r.dataset.id, r.getBoundingClientRect().top + scrollY])")
    return [(id, top) for id, top in value]


def _settled(browser: Any) -> None:
    """Two frames later."""
    browser.execute_async_script(
        "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")


def test_of_many_cases_only_those_in_view_are_rows(
    browser: Any, large: str
) -> None:
    """And each is where it would be if all of them were."""
    browser.get("about:blank")
    browser.get(large)
    assert _find(browser, "#count").text == "3000 cases"
    first = _rows(browser)
    assert 10 < len(first) < 120
    full = browser.execute_script(
        "return document.getElementById('cases').offsetHeight")
    browser.execute_script("scrollTo(0, document.body.scrollHeight)")
    _settled(browser)
    last = _rows(browser)
    assert len(last) < 120
    assert not {id for id, _ in first} & {id for id, _ in last}
    assert last[-1][0] == "modules/main/index-2999"
    again = browser.execute_script(
        "return document.getElementById('cases').offsetHeight")
    assert abs(full - again) <= 2
    browser.execute_script("scrollTo(0, 0)")
    _settled(browser)
    assert _rows(browser) == first


def test_keys_go_on_beyond_the_view(browser: Any, large: str) -> None:
    """Fifty cases down, and the cell is there and in view."""
    browser.get("about:blank")
    browser.get(large)
    browser.execute_script(
        "document.querySelector('#cases td button').focus()")
    for _ in range(50):
        _press(browser, "\ue015")  # down
    top, tall = browser.execute_script(
        "const r = document.activeElement.getBoundingClientRect();"
        "return [r.top, innerHeight]")
    assert 0 <= top < tall
    assert browser.execute_script(
        "return document.activeElement.closest('tr').dataset.id"
    ) == "loop/check/immediate-before-timeout-inside-io-125"


def test_a_link_to_a_case_far_down_shows_it(browser: Any, large: str) -> None:
    case = "loop/timers/same-duration-1502"
    browser.get("about:blank")
    browser.get(f"{large}#case={case}&in=impl3-1")
    assert _find(browser, "#detail").is_displayed()
    row = _find(browser, f"tr[data-id='{case}']")
    assert "open" in row.get_attribute("class")


def test_a_rule_and_an_implementation_have_panels(
    browser: Any, page: str
) -> None:
    """Reached from the matrix, the overview and by address."""
    _find(browser, "tr[data-rule='LOOP-CHECK-2'] a").click()
    text = _find(browser, "#detail").text
    assert "After poll comes check" in text and "2 CASES" in text.upper()
    assert "rule=LOOP-CHECK-2" in _address(browser)
    _find(browser, "#detail .rule-cases button").click()
    assert f"case={IO}".replace("/", "%2F") in _address(browser)
    _press(browser, "\ue00c")  # escape
    _find(browser, ".card [data-of='node-20.20.2']").click()
    text = _find(browser, "#detail").text
    assert "2 UNEXPECTED" in text.upper()
    assert "never lets the timer win" in text
    assert "of=node-20.20.2" in _address(browser)
    browser.get("about:blank")
    browser.get(f"{page}#of=ref-0.1.0")
    assert "loop.timeout" in _find(browser, "#detail").text


def test_a_trace_is_drawn_by_phases(browser: Any) -> None:
    """With the violated event marked."""
    _find(browser, f"tr[data-id='{IO}'] td:nth-child(3) button").click()
    lanes = [one.text for one in browser.find_elements(
        "css selector", "#detail .timeline .lane")]
    assert lanes == ["timers", "check"]
    assert _find(browser, "#detail .timeline .at").text == "timeout"


def test_capabilities_filter(browser: Any) -> None:
    _choose(browser, "needs", "loop.timer")
    assert _shown(browser) == ["loop/timers/handle-repeats"]
    assert "needs=loop.timer" in _address(browser)


def test_an_area_and_a_topic_are_one_filter(browser: Any) -> None:
    """A name in the overview leads to it; a topic is chosen in the box."""
    _follow(browser, "#area=loop", ".levels")
    loop = [case["id"] for case in samples.CASES if case["area"] == "loop"]
    assert _shown(browser) == loop
    _choose(browser, "area", "loop/check")
    assert _shown(browser) == [id for id in loop if "/check/" in id]
    assert "area=loop%2Fcheck" in _address(browser)


def test_the_rules_name_their_cases(browser: Any) -> None:
    _find(browser, "#coverage summary").click()
    rows = browser.find_elements("css selector", "#coverage tbody tr")
    assert [row.text.split()[0] for row in rows] == list(samples.RULES)


def _complaints(
    browser: Any, address: str, axe: str, dark: bool
) -> list[str]:
    """What axe-core finds there, whatever its weight."""
    browser.get("about:blank")
    browser.get(address)
    browser.execute_script(
        "document.documentElement.dataset.theme = arguments[0]",
        "dark" if dark else "light")
    browser.execute_script(axe)
    found = browser.execute_async_script(
        "axe.run(document, {preload: false}).then("
        "arguments[0], e => arguments[0](String(e)))")
    assert isinstance(found, dict), found
    return [f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:200]}"
            for v in found["violations"]]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("open", [
    "", "#case=" + IO + "&in=node-20.20.2", "#rule=LOOP-CHECK-2",
    "#of=node-20.20.2",
], ids=["matrix", "case", "rule", "implementation"])
def test_axe_finds_nothing(
    browser: Any, page: str, axe: str, open: str, dark: bool
) -> None:
    """The rules of axe-core, in every view and both themes."""
    assert _complaints(browser, page + open, axe, dark) == []


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The other pages that are written: about speed, with a gate, without,
    and of the ways to serve and leaks; and about what two runs differ in."""
    folder = tmp_path_factory.mktemp("others")
    sys.path.insert(0, str(Path(__file__).parent / "performance"))
    speed: Any = importlib.import_module("test_performance_page")
    places = Places(find_places().root, folder)
    with_gate: Path = speed._write(places, folder / "gate")
    without = write_performance(folder / "none", places, Sources(
        None, [speed._document()], speed._tracks()))
    good, bad = read_many(samples.write_results(folder / "results"))
    ways: Any = importlib.import_module("test_ways_to_serve")
    fakes: Any = importlib.import_module("fakes")
    served = measure_ways(
        fakes.fake_app(folder, "ways-to-serve", ways._answer()), True,
        folder / "out")
    leaking = {
        "leak": "cache", "implementation": "ref", "state": "leaks",
        "verdict": "leak", "samples": [
            {"turn": n, "round": n, "at": "collection", "rss": n,
             "heapTotal": n, "heapUsed": n, "external": n, "inUse": n}
            for n in range(9)]}
    labs = write_performance(folder / "labs", places, Sources(
        None, [served], [], (), {
            "format": 1, "command": "plumbline bench --leaks",
            "runs": [leaking], "outside": []}))
    changes = folder / "diff.html"
    changes.write_text(diff_html(difference(good, bad)), encoding="utf-8")
    return [path.as_uri() for path in (with_gate, without, labs, changes)]


@pytest.mark.parametrize("wide", [1280, 500])
def test_the_other_pages_are_as_clean(
    browser: Any, others: list[str], axe: str, wide: int
) -> None:
    """By axe-core's rules, and no wider than a phone."""
    _resize(browser, wide, 1000)
    try:
        for address in others:
            for dark in (False, True):
                assert _complaints(browser, address, axe, dark) == []
            assert browser.execute_script(
                "return document.documentElement.scrollWidth"
                " <= document.documentElement.clientWidth"), address
    finally:
        _resize(browser, 1280, 1000)
