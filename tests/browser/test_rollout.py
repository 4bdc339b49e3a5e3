"""The whole of a rollout in a real browser: by two people, with a tab closed and a console killed in the middle."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from ms5ops.access import accounts
from ms5ops.database import Database
from ms5ops.sandbox import fill, process
from tests.browser.conftest import Console, open_page, settled, start_console
from tests.conftest import Sandboxes
from tests.control.conftest import use, write_plant

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]
PASSWORD = "forty horses on a green hill"
LONG = 60_000


@pytest.fixture(scope="module")
def plant(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an engine with hypertables, a protected environment at it, and two operators and a viewer."""
    folder = tmp_path_factory.mktemp("rollout")
    target = sandboxes.start(folder / "sandbox").target
    database = Database(target, "write")
    fill.fill(database, "hypertables", fill.Volume(rows=3_000, days=9), lambda _progress: None)
    database.close()
    write_plant(folder, target)
    with pytest.MonkeyPatch.context() as patch:
        use(folder, patch.setenv, patch.delenv)
        for name, role in (("anna", "operator"), ("ben", "operator"), ("vera", "viewer")):
            accounts.add(name, role)  # type: ignore[arg-type]
            accounts.set_password(name, PASSWORD)
    yield folder
    process.stop(folder / "sandbox")


def start(folder: Path, name: str) -> Console:
    return start_console(folder, folder / f"{name}.log", MS5OPS_CONFIG=str(folder / "ms5ops.toml"))


def signed_in(browser: Browser, console: Console, name: str, then: str) -> Page:
    page = browser.new_context(viewport={"width": 1366, "height": 900}).new_page()
    page.goto(f"{console.url}/access/sign-in?next={quote(then, safe='')}")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    settled(page)
    return page


def step(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    settled(page)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()
    settled(page)


def written_for_what_is_there(page: Page) -> None:
    """The policy set that the database's own state makes: planned by it, nothing is to do."""
    page.get_by_text("Adjust the policy set").click()
    settled(page)
    step(page, "From the database")
    press(page, "Read the database")
    expect(page.get_by_label("to be edited before it is saved")).to_contain_text("[tables.metric_hist]", timeout=LONG)
    expect(page.get_by_text("The plan would have 0 operations")).to_be_visible(timeout=LONG)
    page.context.close()


def adjusted_in_the_forms(page: Page) -> None:
    """Another retention, typed into the table: its effect stands there first, then it is a version with a comment."""
    page.get_by_text("Adjust the policy set (now: the set that comes with ms5ops)").click()
    settled(page)
    form = page.get_by_test_id("stDataFrame").nth(1)
    for typed in ("90 days'; DROP TABLE metric_hist; --", "120 days"):
        form.scroll_into_view_if_needed()
        box = form.bounding_box()
        assert box is not None
        page.mouse.dblclick(box["x"] + box["width"] - 60, box["y"] + 35 + 17)  # the last cell of metric_hist's row
        page.locator("#portal").locator("textarea, input").first.fill(typed)
        page.keyboard.press("Enter")
        wanted = "drop_after" if "DROP" in typed else "metric_hist, Delete after: 90 days → 120 days"
        expect(page.get_by_test_id("stMain").get_by_text(wanted).first).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile("The plan would have .* operations"))).to_be_visible(timeout=LONG)
    page.get_by_label("What was changed, and why?").fill("<i>auditors</i> want four months")
    press(page, "Save as a new version")
    expect(page.get_by_text("Saved as version 1.")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Adjust the policy set (now: version 1, chosen by anna)")).to_be_visible(timeout=LONG)


def test_planned_approved_applied_left_alone_and_taken_back(plant: Path, browser: Browser) -> None:
    console = start(plant, "first")
    try:
        stranger = browser.new_context().new_page()
        stranger.goto(f"{console.url}/rollout")  # the first request that this process ever gets
        expect(stranger.get_by_text("Nobody is signed in").first).to_be_visible(timeout=LONG)
        expect(stranger.get_by_role("tab")).to_have_count(0)
        stranger.context.close()

        written_for_what_is_there(signed_in(browser, console, "anna", "/rollout"))
        anna = signed_in(browser, console, "anna", "/rollout")
        expect(anna.get_by_text("would bring plant to the policy set")).to_be_visible(timeout=LONG)
        anna.get_by_role("combobox", name="Phases").click()
        for phase in ("2 Compression", "3 Retention"):
            anna.get_by_role("option", name=phase).click()
        anna.keyboard.press("Escape")
        settled(anna)
        adjusted_in_the_forms(anna)
        anna.get_by_label("What is it for?").fill("<b>less disk</b> '; DROP TABLE kept_plan; --")
        press(anna, "Keep as a plan")
        expect(anna.get_by_text("Kept as plan 1")).to_be_visible(timeout=LONG)
        step(anna, "2 Dry run")
        press(anna, "Try it")
        expect(anna.get_by_text("0 fail").first).to_be_visible(timeout=LONG)
        step(anna, "3 Approve")
        expect(anna.get_by_text("You made this plan")).to_be_visible(timeout=LONG)
        expect(anna.get_by_role("button", name="Approve plan 1")).to_be_disabled()
        step(anna, "4 Apply")
        expect(anna.get_by_text("nobody has approved it yet").last).to_be_visible(timeout=LONG)

        ben = signed_in(browser, console, "ben", "/rollout?plan=1&step=3+Approve")
        press(ben, "Approve plan 1")
        expect(ben.get_by_text("Plan 1 is approved")).to_be_visible(timeout=LONG)
        ben.context.close()

        open_page(anna, f"{console.url}/rollout?plan=1&step=4+Apply")
        anna.get_by_text("Go without the backup").click()
        settled(anna)
        anna.get_by_label("Reason to go without a backup").fill("simulated data")
        anna.keyboard.press("Tab")
        settled(anna)
        name = anna.get_by_label("Type the environment's name")
        name.fill("sandbox")
        press(anna, "Apply 16 operations")
        expect(anna.get_by_text("the environment is plant")).to_be_visible(timeout=LONG)
        name.fill("plant")
        anna.get_by_role("button", name="Apply 16 operations").click()
        expect(anna.get_by_text("The plan is being applied").first).to_be_visible(timeout=LONG)
        address = anna.url
        assert "run=" in address
        anna.context.close()
    finally:
        console.process.kill()  # in the middle of the apply
        console.process.wait(timeout=20)

    console = start(plant, "second")
    try:
        vera = signed_in(browser, console, "vera", f"/rollout?{address.partition('?')[2]}")
        expect(vera.get_by_text("became deployment 1, which is done").first).to_be_visible(timeout=LONG)
        step(vera, "5 Verify")
        expect(vera.get_by_text("Compression policies: 5 of 5")).to_be_visible(timeout=LONG)
        step(vera, "6 Roll back")
        expect(vera.get_by_text("To roll back takes the role operator; vera is viewer.")).to_be_visible(timeout=LONG)
        expect(vera.get_by_role("button", name="Roll back")).to_be_disabled()
        vera.context.close()

        anna = signed_in(browser, console, "anna", "/rollout?step=6+Roll+back")
        press(anna, "Approve this rollback for another operator")
        expect(anna.get_by_text("The rollback of deployment 1 is approved")).to_be_visible(timeout=LONG)
        anna.context.close()
        ben = signed_in(browser, console, "ben", "/rollout?step=6+Roll+back")
        ben.get_by_label("Type the environment's name").fill("plant")
        ben.get_by_role("button", name="Roll back").click()
        ben.wait_for_url(re.compile("run="), timeout=LONG)  # a click elsewhere before that would come in its way
        settled(ben)
        step(ben, "7 History")
        expect(ben.get_by_text("Deployment 1 is rolled back").first).to_be_visible(timeout=LONG)

        open_page(ben, f"{console.url}/audit")
        assert ben.get_by_text("The log is whole").is_visible()
    finally:
        console.process.terminate()
        console.process.wait(timeout=20)
    with pytest.MonkeyPatch.context() as patch:
        use(plant, patch.setenv, patch.delenv)
        from ms5ops.access import audit

        told = [(one.actor, one.action, one.outcome) for one in reversed(audit.entries())]
    for entry in (
        ("anna", "dry run", "done"), ("ben", "approve", "done"), ("anna", "apply", "refused"),
        ("anna", "apply", "begun"), ("anna", "apply", "done"), ("anna", "approve", "done"),
        ("ben", "roll back", "begun"), ("ben", "roll back", "done"),
    ):  # fmt: skip
        assert entry in told
