"""The chat's bubble, panel and page in a real Chromium, with a client that does what it is told."""

import json
import re
from contextlib import ExitStack

from playwright.sync_api import Browser, expect
from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.chat_pages import CHAT, GALAXY, HOSTILE, ME, STATIC, TAG, WIDGET, Visit
from tests.neighbours.chromium import (
    LOOKS,
    fits,
    screenshot,
    violations,
    visitor,
)
from tests.neighbours.galaxy import new_folder
from tests.neighbours.program import PATIENCE
from tests.neighbours.shared_browser import in_the_browser

expect.set_options(timeout=PATIENCE * 1000)
REFUSED = "Failed to load resource"
STRANGER = (401, {"error": "not-logged-in", "static": STATIC, "galaxy_url": f"{GALAXY}/"})

_BRING = """source => new Promise(done => {
    const tag = document.createElement("script");
    tag.src = source;
    tag.onload = () => done();
    document.body.append(tag);
})"""
_NOTIFICATION = """
    globalThis.said = [];
    globalThis.Notification = class {
        static permission = "default";
        static async requestPermission() {
            globalThis.asked = true;
            return this.permission = "granted";
        }
        constructor(title, options) { said.push(Object.assign(this, options, {title})); }
        close() {}
    };
"""
_STYLE = """node => {
    const style = getComputedStyle(node);
    return [style.fontSize, style.borderTopWidth, style.color];
}"""


class ViewCase(SynchronousTestCase):
    browser: Browser

    def visit(self, ends, options=None, **wishes):
        """Somebody new, until the stack ``ends`` does."""
        return Visit(ends.enter_context(visitor(self.browser, **options or {})), **wishes)

    def assertAccessible(self, page, *ignored):
        found = [
            (one["id"], one["impact"], [node["html"] for node in one["nodes"]])
            for one in violations(page, *ignored)
        ]
        self.assertEqual(found, [])


class LoaderTests(ViewCase):
    @in_the_browser
    def test_a_hostile_page_and_the_chat_leave_each_other_alone(self):
        with ExitStack() as ends:
            visit = self.visit(ends)
            page = visit.page
            visit.pages.style = HOSTILE
            # Twice at once, once more as a module, and again by script later.
            visit.pages.body = TAG + TAG.replace("async", 'type="module"')
            visit.open("ngs")
            before = page.evaluate("Object.keys(window).filter(k => !/^fake/.test(k)).length")
            page.evaluate(_BRING, f"{CHAT}widget.js")
            expect(page.locator("giestack-chat")).to_have_count(1)
            self.assertEqual(page.evaluate("Object.keys(window).length") - before, 2)
            box = page.locator(".launcher").bounding_box()
            assert box is not None
            self.assertEqual((box["width"], box["height"]), (56, 56))
            self.assertEqual((box["x"], box["y"]), (1280 - 72, 720 - 72))
            self.assertEqual(
                page.locator(".composer textarea").evaluate(_STYLE),
                ["15px", "0px", "rgb(26, 35, 48)"],
            )
            # Not one rule of ours is the page's, and nothing was fetched elsewhere.
            self.assertEqual(
                page.locator("h1").evaluate("e => getComputedStyle(e).display"), "none"
            )
            self.assertEqual(
                page.locator("p").first.evaluate("e => e.ownerDocument.adoptedStyleSheets.length"),
                0,
            )
            self.assertEqual(page.locator("giestack-chat [style]").count(), 0)
            elsewhere = [url for url in visit.pages.asked if not url.startswith((CHAT, GALAXY))]
            self.assertEqual(elsewhere, [])
            # Its element is thrown away, and the tag comes again.
            page.evaluate("document.querySelector('giestack-chat').remove()")
            page.evaluate(_BRING, f"{CHAT}widget.js")
            expect(page.locator("giestack-chat .panel")).to_be_visible()
            self.assertEqual(visit.complaints, [])

    @in_the_browser
    def test_strangers_see_nothing_unless_the_page_wants_them_to(self):
        with ExitStack() as ends:
            visit = self.visit(ends, phase="loggedout", empty=True)
            visit.pages.whoami = STRANGER
            with visit.page.expect_response(f"{CHAT}whoami"):
                visit.page.goto(f"{GALAXY}/")
            visit.page.wait_for_load_state("networkidle")
            self.assertEqual(visit.page.locator("giestack-chat").count(), 0)
            self.assertFalse([url for url in visit.pages.asked if STATIC in url])
            visit.pages.head = TAG.replace("async", 'async data-logged-out="show"')
            visit.open()
            link = visit.page.get_by_role("link", name="Log in")
            expect(link).to_have_attribute("href", f"{GALAXY}/login/start?redirect=/")
            self.assertEqual([text for text in visit.complaints if REFUSED not in text], [])

    @in_the_browser
    def test_a_chat_that_does_not_answer_is_asked_again(self):
        with ExitStack() as ends:
            visit = self.visit(ends)
            visit.page.clock.install()
            visit.pages.whoami = (503, {"error": "identity-unavailable"})
            with visit.page.expect_console_message(lambda said: "does not answer" in said.text):
                visit.page.goto(f"{GALAXY}/")
            visit.pages.whoami = (200, ME)
            visit.page.clock.fast_forward(10_000)
            expect(visit.page.locator(".launcher")).to_be_visible()


class PanelTests(ViewCase):
    @in_the_browser
    def test_by_keyboard(self):
        with ExitStack() as ends:
            visit = self.visit(ends)
            page = visit.page
            visit.come()
            visit.fake("globalThis.heard = []; addEventListener('keydown', e => heard.push(e.key))")
            page.keyboard.press("Tab")
            page.keyboard.press("Tab")
            self.assertEqual(visit.focused(), "Chat: Online")
            page.keyboard.press("Enter")
            expect(page.get_by_role("dialog", name="Chat")).to_be_visible()
            expect(page.locator(".launcher")).to_have_attribute("aria-expanded", "true")
            self.assertEqual(visit.focused(), "Chat")
            before = visit.fake("return heard.length")
            status = page.get_by_role("button", name="Online", exact=True)
            expect(status).to_have_attribute("title", "You are online. Press to be offline.")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            status = page.get_by_role("button", name="Offline", exact=True)
            expect(status).to_have_attribute("title", "You are offline. Press to be online.")
            expect(page.locator(".launcher")).to_have_attribute("data-phase", "offline")
            page.keyboard.press("Enter")
            expect(page.locator(".launcher")).to_have_attribute("data-phase", "online")
            page.locator(".room[data-room=ngs]").focus()
            page.keyboard.press("Enter")
            expect(page.locator(".composer textarea")).to_be_focused()
            page.keyboard.type("k")
            self.assertEqual(visit.fake("return heard.length"), before)
            page.keyboard.press("Escape")
            expect(page.locator(".panel")).to_be_hidden()
            self.assertEqual(visit.focused(), "Chat: Online")
            self.assertEqual(visit.complaints, [])

    @in_the_browser
    def test_what_is_unread_is_on_the_bubble_until_it_was_seen(self):
        with ExitStack() as ends:
            visit = self.visit(ends)
            page = visit.page
            visit.come()
            launcher = page.locator(".launcher")
            visit.fake("fake.hear('rna', 'bob', 'one')")
            visit.fake("fake.hear('rna', 'bob', '@alice', {mentions: ['me']})")
            expect(launcher).to_have_accessible_name(
                "Chat: Online, 2 unread messages, 1 mention of you"
            )
            expect(page.locator(".bubble-count")).to_have_text("2")
            expect(page.locator(".bubble-at")).to_be_visible()
            launcher.click()
            room = page.locator(".room[data-room=rna]")
            said = re.compile("RNA-Seq ?, 2 unread messages, 1 mention of you")
            expect(room).to_have_accessible_name(said)
            room.click()
            expect(page.locator(".new")).to_have_text("New messages")
            expect(page.locator(".bubble-count")).to_be_hidden()
            # Nobody looks while the panel is closed.
            page.get_by_role("button", name="Close the chat").click()
            visit.fake("fake.hear('rna', 'bob', 'three')")
            expect(page.locator(".bubble-count")).to_have_text("1")
            launcher.click()
            expect(page.locator(".bubble-count")).to_be_hidden()

    @in_the_browser
    def test_its_size_colours_and_language_are_remembered(self):
        with ExitStack() as ends:
            visit = self.visit(ends)
            page = visit.page
            visit.open()
            page.get_by_role("button", name="Enlarge the chat").click()
            expect(page.locator(".panel")).to_have_class("panel large")
            expect(page.locator(".conversation")).to_be_visible()
            page.get_by_role("button", name="Settings").click()
            page.get_by_label("Colours").select_option("dark")
            page.get_by_label("Language").select_option("de")
            page.get_by_role("heading", name="Einstellungen").wait_for()
            visit.open()
            expect(page.locator(".root")).to_have_attribute("data-theme", "dark")
            expect(page.locator(".root")).to_have_attribute("lang", "de")
            expect(page.get_by_role("button", name="Chat verkleinern")).to_be_visible()

    @in_the_browser
    def test_a_button_of_the_page_opens_and_closes_it(self):
        toggle = "dispatchEvent(new Event('giestack-chat-toggle', {cancelable: true}))"
        with ExitStack() as ends:
            visit = self.visit(ends)
            page = visit.page
            visit.come()
            self.assertFalse(page.evaluate(toggle))
            expect(page.locator(".panel")).to_be_visible()
            self.assertEqual(visit.focused(), "Chat")
            # Built anew, it listens once.
            page.get_by_role("button", name="Settings").click()
            page.get_by_label("Language").select_option("de")
            page.get_by_role("heading", name="Einstellungen").wait_for()
            self.assertFalse(page.evaluate(toggle))
            expect(page.locator(".panel")).to_be_hidden()
            page.evaluate("document.querySelector('giestack-chat').remove()")
            self.assertFalse(page.evaluate(toggle))
            expect(page.locator(".panel")).to_be_visible()
            visit.come(CHAT)
            self.assertTrue(page.evaluate(toggle))
            self.assertEqual(visit.complaints, [])

    @in_the_browser
    def test_notifications_lead_to_their_room(self):
        with ExitStack() as ends:
            visit = self.visit(ends)
            page = visit.page
            page.add_init_script(_NOTIFICATION)
            visit.open()
            page.get_by_role("button", name="Settings").click()
            notify = page.get_by_label("Notify me while I look elsewhere")
            notify.uncheck()
            notify.check()
            self.assertTrue(visit.fake("return asked"))
            page.get_by_role("button", name="Close", exact=True).click()
            page.get_by_role("button", name="Close the chat").click()
            visit.fake(
                "const message = fake.hear('rna', 'bob', '**hi**');"
                "fake.emit('notify', 'rna', {room: 'rna', message, mention: true, alert: true})"
            )
            self.assertEqual(visit.fake("return said[0].title"), "bob in RNA-Seq")
            self.assertEqual(visit.fake("return said[0].body"), "hi")
            visit.fake("said[0].onclick()")
            expect(page.get_by_role("heading", name="RNA-Seq")).to_be_visible()
            self.assertEqual(visit.complaints, [])


class PageTests(ViewCase):
    @in_the_browser
    def test_rooms_come_from_the_address_and_names_do_not(self):
        with ExitStack() as ends:
            visit = self.visit(ends, {"viewport": {"width": 600, "height": 350}})
            page = visit.page
            masthead = "?username=mallory&persistent_communication_rooms=Nowhere%2CRNA-Seq"
            visit.come(CHAT + masthead)
            expect(page.get_by_role("heading", name="RNA-Seq")).to_be_visible()
            expect(page.get_by_label("Message to RNA-Seq")).to_be_visible()
            self.assertEqual(page.get_by_text("mallory").count(), 0)
            self.assertTrue(fits(page))
            visit.fake("fake.hear('ngs', 'bob', 'hello')")
            expect(page).to_have_title("(1) Chat")
            page.goto(f"{CHAT}#room=invited%2F1")
            page.reload()
            expect(page.get_by_role("heading", name="Room invited/1")).to_be_visible()
            self.assertEqual(visit.calls("join"), [["invited/1"]])
            page.evaluate("location.hash = '#room=ngs&message=2'")
            expect(page.locator(".message[data-seq='2']")).to_be_focused()
            self.assertEqual(visit.complaints, [])

    @in_the_browser
    def test_without_script_it_says_so(self):
        with ExitStack() as ends:
            visit = self.visit(ends, {"java_script_enabled": False})
            visit.page.goto(CHAT)
            expect(visit.page.locator("noscript p")).to_contain_text("needs JavaScript")

    @in_the_browser
    def test_a_stranger_is_told_where_to_log_in(self):
        with ExitStack() as ends:
            visit = self.visit(ends, phase="loggedout", empty=True)
            visit.pages.whoami = STRANGER
            visit.come(CHAT)
            link = visit.page.get_by_role("link", name="Log in")
            expect(link).to_have_attribute("href", f"{GALAXY}/login/start")
            visit.page.get_by_role("button", name="Look again").click()
            self.assertEqual(visit.calls("refresh"), [[]])


class LookTests(ViewCase):
    @in_the_browser
    def test_on_every_screen(self):
        pictures = new_folder(self)
        with ExitStack() as ends:
            for look, options in LOOKS:
                visit = self.visit(ends, options, role="moderator")
                page = visit.page
                visit.open("ngs")
                screenshot(page, f"chat-panel-{look}", pictures)
                self.assertAccessible(page)
                visit.come(CHAT)
                visit.fake("fake.hear('rna', 'bob', '@alice', {mentions: ['me']})")
                page.locator(".room[data-room=ngs]").click()
                page.locator(".message[data-seq='9']").focus()
                page.keyboard.press("Enter")
                expect(page.get_by_role("menuitem").first).to_be_focused()
                screenshot(page, f"chat-page-{look}", pictures)
                self.assertAccessible(page)
                self.assertTrue(fits(page))
                page.keyboard.press("Escape")
                visit.fake("fake.phase('optin')")
                page.get_by_role("button", name="Switch chat on").wait_for()
                screenshot(page, f"chat-opt-in-{look}", pictures)
                self.assertAccessible(page)
                self.assertEqual(visit.complaints, [])

    @in_the_browser
    def test_the_other_way_round_and_on_the_smallest_phone(self):
        hebrew = json.loads((WIDGET / "locale" / "en.json").read_text("utf-8"))
        hebrew |= {"direction": "rtl", "composer.send": "שלח"}
        options = {"locale": "he-IL", "viewport": {"width": 320, "height": 568}}
        with ExitStack() as ends:
            visit = self.visit(ends, {**options, "forced_colors": "active"})
            page = visit.page
            visit.pages.locales["he"] = hebrew
            visit.open("ngs")
            expect(page.locator(".root")).to_have_attribute("dir", "rtl")
            send, text = page.get_by_role("button", name="שלח"), page.locator(".grow")
            (one, other) = (send.bounding_box(), text.bounding_box())
            assert one is not None and other is not None
            self.assertLess(one["x"], other["x"])
            mine = page.locator(".message.mine .bubble").first.bounding_box()
            assert mine is not None
            self.assertLess(mine["x"], 40)
            self.assertTrue(fits(page))
            self.assertAccessible(page)
            screenshot(page, "chat-small-rtl", new_folder(self))
            self.assertEqual(visit.complaints, [])
