"""What people do in the chat, in real browsers and with a real giestack."""

import atexit
import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache, partial

from playwright.sync_api import Browser, expect
from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.bad_network import BadNetwork
from tests.neighbours.chat_site import ROOMS, ChatSite
from tests.neighbours.chromium import LOOKS, fits, screenshot, violations
from tests.neighbours.elsewhere import Elsewhere
from tests.neighbours.galaxy import ALICE, new_folder
from tests.neighbours.program import PATIENCE, eventually
from tests.neighbours.shared_browser import SharedBrowser
from tests.neighbours.somebody_elses_pages import USERNAME
from tests.real.test_chat_talk import PAYLOADS

expect.set_options(timeout=PATIENCE * 1000)

NGS, RNA, ANNOTATION = ROOMS
MANY = [f"message {number}" for number in range(1, 201)]
CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}
NO_WEBSOCKET = "WebSocket connection to"
NOT_LOGGED_IN = "the server responded with a status of 401"
# What a browser says of a server that is not there, or not quite yet.
AWAY = (NO_WEBSOCKET, "net::ERR_", "the server responded with a status of 503")

# In a network with nothing but a loopback Chromium says that it is offline.
_ON_LINE = "Object.defineProperty(Navigator.prototype, 'onLine', {get: () => true});"
_NOTIFICATION = """
globalThis.notified = [];
globalThis.Notification = class {
    static permission = "granted";
    constructor(title, options) { notified.push(`${title}: ${options.body}`); }
    close() {}
};
"""
_HIDDEN = """hidden => {
    const state = hidden ? "hidden" : "visible";
    Object.defineProperty(document, "visibilityState", {get: () => state, configurable: true});
    Object.defineProperty(document, "hidden", {get: () => hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""
_FOCUSED = """() => {
    let found = document.activeElement;
    while (found.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
    return found.ariaLabel || found.innerText;
}"""
_BRING = """source => new Promise(done => {
    const tag = document.createElement("script");
    tag.src = source;
    tag.onload = () => done();
    document.body.append(tag);
})"""


class _Module:
    """What ends with this process, instead of a test."""

    def addCleanup(self, function: Callable[[], object]) -> None:
        atexit.register(function)


@cache
def elsewhere() -> Elsewhere:
    """The network that all browsers of this module are in."""
    return Elsewhere(_Module())


@cache
def busy_site() -> ChatSite:
    """One that several tests share; alice, bob and admin take part."""
    site = ChatSite(_Module(), elsewhere())
    site.opt_in("alice", "bob", "admin")
    return site


in_the_browser = SharedBrowser(elsewhere).lend


class StoryCase(SynchronousTestCase):
    browser: Browser
    alone = False
    """Whether each test has a site that nobody has been to."""

    def setUp(self):
        self.site = ChatSite(self, elsewhere()) if self.alone else busy_site()
        self.pictures = new_folder(self)
        self.people = []

    def come(self, ends, *names, **options):
        """People with browsers of their own, until the stack ``ends`` does."""
        found = [self.site.somebody(ends, self.browser, name, **options) for name in names]
        self.people += found
        return found if len(found) > 1 else found[0]

    def another_tab(self, person):
        tab = person.another_tab()
        self.people.append(tab)
        return tab

    def picture(self, person, name):
        screenshot(person.page, f"chat-story-{name}", self.pictures)

    def assertAtPeace(self, *expected):
        """No browser had anything to complain of; nothing ran, and no other host was asked."""
        for one in self.people:
            said = [text for text in one.complaints if not any(word in text for word in expected)]
            self.assertEqual((said, one.dialogs, one.foreign), ([], [], []), one.name)

    def assertAccessible(self, page):
        found = [(one["id"], [node["html"] for node in one["nodes"]]) for one in violations(page)]
        self.assertEqual(found, [], page.url)


class TalkTests(StoryCase):
    alone = True

    @in_the_browser
    def test_from_switching_it_on_to_a_talk(self):
        with ExitStack() as ends:
            alice, bob = self.come(ends, "alice", "bob")
            self.switch_on(bob)
            self.red_and_green(alice)
            alice.enter(NGS)
            bob.enter(NGS)
            expect(alice.page.locator(".log .note")).to_have_text("bob joined")
            expect(alice.button("2 people here")).to_be_visible()
            self.say_and_change(alice, bob)
            self.by_keyboard_alone(bob, alice)
            self.assertAtPeace()

    def switch_on(self, bob):
        """Nobody is in the chat unasked; it says what that means."""
        bob.go_in(self.site.own)
        screen = bob.page.locator(".screens")
        for words in (
            "The chat is off for you.",
            "Others see your user name, bob.",
            "What you write stays in the room",
            "Nobody sees your e-mail address",
        ):
            expect(screen).to_contain_text(words)
        self.assertFalse(bob.page.get_by_text("WebSocket").is_visible())
        self.picture(bob, "opt-in")
        bob.button("Switch chat on").click()
        expect(bob.button("Online")).to_be_visible()

    def red_and_green(self, alice):
        """Galaxy's preference is her first choice; red or green is remembered."""
        alice.go_in(self.site.own)
        launcher = alice.page.locator(".launcher")
        expect(launcher).to_have_attribute("data-phase", "offline")
        self.picture(alice, "offline")
        alice.button("Go online").click()
        expect(launcher).to_have_attribute("data-phase", "online")
        alice.button("Online").click()
        expect(launcher).to_have_attribute("data-phase", "offline")
        alice.go_in(self.site.own)
        expect(launcher).to_have_attribute("data-phase", "offline")
        alice.button("Offline").click()
        expect(alice.room(NGS)).to_be_visible()

    def say_and_change(self, alice, bob):
        alice.say("Hi **bob**, `wc -l` or\n```\nls <here>\n```")
        there = bob.message("Hi bob")
        expect(there.locator("strong")).to_have_text("bob")
        expect(there.locator("p code")).to_have_text("wc -l")
        expect(there.locator("pre")).to_have_text("ls <here>")
        bob.text.press_sequentially("@al")
        bob.page.get_by_role("option", name="alice").wait_for()
        self.picture(bob, "completion")
        bob.text.press("Enter")
        bob.text.press_sequentially("look")
        expect(alice.page.locator(".typing")).to_have_text("bob is writing…")
        bob.text.press("Enter")
        expect(alice.message("look").locator(".mention.me")).to_have_text("@alice")
        expect(alice.page.locator(".typing")).to_have_text("")
        alice.does("look", "Reply")
        alice.say("I se")
        expect(bob.message("I se").locator(".quote")).to_contain_text("bob @alice look")
        alice.text.press("ArrowUp")
        expect(alice.text).to_have_value("I se")
        alice.say("I see")
        expect(bob.message("I see").locator(".edited")).to_have_text("edited")
        alice.does("I see", "Delete…")
        alice.button("Delete").click()
        expect(bob.page.locator(".tombstone")).to_have_text("This message was deleted.")
        self.picture(bob, "talk")

    def by_keyboard_alone(self, bob, alice):
        """From the bubble to what was said, and back."""
        keys = bob.page.keyboard
        bob.button("Close the chat").click()
        bob.page.locator("h1").click()
        for _ in range(20):
            keys.press("Shift+Tab")
            if "Chat: Online" in bob.page.evaluate(_FOCUSED):
                break
        keys.press("Enter")
        expect(bob.text).to_be_focused()
        keys.type("by keyboard")
        keys.press("Enter")
        alice.message("by keyboard").wait_for()
        keys.press("Escape")
        expect(bob.page.locator(".panel")).to_be_hidden()
        self.assertEqual(bob.page.evaluate(_FOCUSED), "Chat: Online")

    @in_the_browser
    def test_what_one_has_missed(self):
        self.site.opt_in("alice", "bob")
        self.site.say("bob", RNA, *MANY)
        with ExitStack() as ends:
            alice, bob = self.come(ends, "alice", "bob")
            bob.context.add_init_script(_NOTIFICATION)
            self.older(alice)
            bob.go_in(self.site.own, NGS)
            alice.enter(NGS)
            self.counted(alice, bob)
            self.alerted(alice, bob)
            self.exported(bob)
            self.in_german(bob)
            self.assertAtPeace()

    def older(self, alice):
        """All that was ever said is there, by scrolling and by searching."""
        alice.go_in(self.site.chat, RNA)
        alice.message(MANY[-1]).last.wait_for()
        log = alice.page.get_by_role("log")

        def at_the_beginning():
            log.evaluate("log => { log.scrollTop = 0 }")
            return "This is where it begins." in log.inner_text()

        eventually(at_the_beginning, "the beginning")
        self.assertEqual(alice.texts(), MANY)
        alice.button("Jump to newest").click()
        alice.button("Search messages").click()
        alice.page.keyboard.type("117")
        alice.page.keyboard.press("Enter")
        expect(alice.page.locator(".result")).to_have_count(1)
        alice.page.locator(".result").click()
        expect(alice.message("message 117")).to_be_focused()

    def counted(self, alice, bob):
        """What is unread is counted for all one's pages; what one says oneself is not."""
        launcher, count = bob.page.locator(".launcher"), bob.page.locator(".bubble-count")
        bob.button("Close the chat").click()
        alice.say("one")
        alice.say("@bob two")
        expect(launcher).to_have_accessible_name(
            "Chat: Online, 2 unread messages, 1 mention of you"
        )
        self.picture(bob, "unread")
        tab = self.another_tab(bob)
        tab.go_in(self.site.chat, NGS)
        expect(count).to_be_hidden()
        # The old chat thought that one's own words were news (D9).
        tab.say("three")
        alice.message("three").wait_for()
        alice.say("four")
        tab.message("four").wait_for()
        self.assertEqual(tab.page.locator(".room.unread").count(), 0)
        expect(launcher).to_have_accessible_name("Chat: Online")
        tab.page.close()

    def alerted(self, alice, bob):
        """Out loud while nobody looks, unless that disturbs."""
        bob.page.locator(".launcher").click()
        bob.button("Enlarge the chat").click()
        shown = [f"alice in {NGS}: @bob first", f"alice in {NGS}: @bob third"]
        for text, disturbs, count in (("first", True, 1), ("second", False, 1), ("third", True, 2)):
            bob.button("Settings").click()
            bob.page.get_by_label("Do not disturb").set_checked(not disturbs)
            bob.button("Close").click()
            bob.page.evaluate(_HIDDEN, True)
            alice.say(f"@bob **{text}**")
            bob.message(text).wait_for()
            eventually(partial(self.has_seen, bob, shown[:count]), text)
            bob.page.evaluate(_HIDDEN, False)

    def has_seen(self, person, shown):
        """Whether these are the notifications so far."""
        return person.page.evaluate("notified") == shown

    def exported(self, bob):
        bob.button("Settings").click()
        self.picture(bob, "settings")
        with bob.page.expect_download() as coming:
            bob.page.get_by_role("link", name="Download as JSON").click()
        lines = coming.value.path().read_text("utf-8").splitlines()
        texts = [json.loads(line)["text"] for line in lines]
        self.assertEqual(sorted(texts), sorted([*MANY, "three"]))

    def in_german(self, bob):
        bob.page.get_by_label("Language").select_option("de")
        bob.page.get_by_role("heading", name="Einstellungen").wait_for()
        bob.button("Schließen").click()
        expect(bob.page.get_by_label(f"Nachricht an {NGS}")).to_be_visible()
        self.picture(bob, "german")

    @in_the_browser
    def test_moderators_can_act(self):
        self.site.opt_in("alice", "bob", "admin")
        with ExitStack() as ends:
            alice, bob, admin = self.come(ends, "alice", "bob", "admin")
            for one in (alice, bob, admin):
                one.go_in(self.site.chat, NGS)
            alice.say("hello")
            alice.say("buy this")
            self.report(alice, bob, admin)
            self.mute(alice, admin)
            self.ban(alice, admin)
            self.assertAtPeace()

    def report(self, alice, bob, admin):
        bob.does("buy this", "Report…")
        bob.page.keyboard.type("an advertisement")
        bob.button("Report").click()
        bob.page.locator(".told", has_text="The moderators were told.").wait_for()
        admin.page.locator(".told", has_text="bob has reported a message.").wait_for()
        self.picture(admin, "report")
        admin.button("Show").click()
        expect(admin.message("buy this")).to_be_focused()
        page = self.another_tab(admin).page
        page.goto(f"{self.site.chat}moderation")
        card = page.get_by_role("listitem").filter(has_text="an advertisement")
        expect(card).to_contain_text("buy this")
        page.close()
        admin.page.keyboard.press("Delete")
        admin.page.get_by_label("Reason").fill("not here")
        admin.button("Delete").click()
        expect(alice.page.locator(".tombstone")).to_have_text(
            "admin deleted this message: not here"
        )

    def mute(self, alice, admin):
        admin.does("hello", "Mute…")
        admin.page.get_by_label("Reason").fill("enough")
        admin.button("Mute").click()
        expect(alice.page.locator(".reason")).to_contain_text(
            "A moderator has muted you here until"
        )
        expect(alice.page.get_by_role("log")).to_contain_text("enough")
        expect(alice.text).to_be_disabled()
        self.picture(alice, "muted")
        admin.button("3 people here").click()
        admin.button("Actions for alice").click()
        admin.page.get_by_role("menuitem", name="Unmute").click()
        expect(alice.text).to_be_enabled()
        admin.button("Actions for alice").click()

    def ban(self, alice, admin):
        admin.page.get_by_role("menuitem", name="Ban…").click()
        admin.page.get_by_label("For how long").select_option("1 day")
        admin.button("Ban").click()
        screen = alice.page.locator(".screens")
        expect(screen).to_contain_text("A moderator has excluded you from the chat until")
        alice.page.reload()
        expect(screen).to_contain_text("A moderator has excluded you from the chat until")
        self.picture(alice, "banned")
        moderation = self.another_tab(admin)
        moderation.page.goto(f"{self.site.chat}moderation")
        self.picture(moderation, "moderation")
        moderation.button("Lift: alice, banned").click()
        moderation.page.get_by_text("Nobody is muted or banned.").wait_for()
        # She looks again.
        alice.page.reload()
        alice.go_in(self.site.chat, NGS)
        alice.say("sorry")
        admin.message("sorry").wait_for()


class RoomTests(StoryCase):
    @in_the_browser
    def test_rooms_of_ones_own(self):
        with ExitStack() as ends:
            alice, bob = self.come(ends, "alice", "bob", **CLIPBOARD)
            alice.go_in(self.site.chat)
            bob.go_in(self.site.chat)
            alice.button("Join or start…").click()
            self.picture(alice, "join")
            alice.page.keyboard.type(PAYLOADS[1])
            alice.page.keyboard.press("Enter")
            title = alice.page.locator(".room-head h2 bdi")
            expect(title).to_have_text(PAYLOADS[1])
            alice.button("Actions for this room").click()
            alice.page.get_by_role("menuitem", name="Copy invitation link").click()
            alice.page.locator(".told", has_text="Link copied.").wait_for()
            bob.page.goto(alice.page.evaluate("navigator.clipboard.readText()"))
            expect(bob.page.locator(".room-head h2 bdi")).to_have_text(PAYLOADS[1])
            # What once ran in everybody's browser (D1) is text.
            for text in PAYLOADS:
                bob.say(text)
            bob.say("that was all")
            alice.message("that was all").wait_for()
            log = alice.page.get_by_role("log")
            for text in PAYLOADS[:4]:
                expect(log).to_contain_text(text)
            self.assertEqual(log.locator(":is(script, img, iframe, b, svg svg)").count(), 0)
            self.picture(alice, "payloads")
            alice.button("2 people here").click()
            alice.button("Send a direct message to bob").click()
            expect(title).to_have_text("bob")
            alice.say("between us")
            expect(bob.room("alice").locator(".badge")).to_have_text("1")
            bob.enter("alice")
            bob.message("between us").wait_for()
            for one in (alice, bob):
                self.assertIsNone(one.page.evaluate("window.broken ?? null"))
            self.assertAtPeace()


class ElsewhereTests(StoryCase):
    @in_the_browser
    def test_in_the_frame_of_galaxys_old_masthead(self):
        with ExitStack() as ends:
            alice, bob = self.come(ends, "alice", "bob")
            bob.go_in(self.site.chat, RNA)
            page = alice.page
            page.goto(f"{self.site.pages.origin}/")
            alice.button("Chat online").click()
            frame = page.frame_locator("iframe")
            # The first room of the address that there is; who she is, her cookie says.
            expect(frame.locator(".room-head h2 bdi")).to_have_text(RNA)
            frame.locator(".composer textarea").fill("from a frame")
            frame.locator(".composer textarea").press("Enter")
            expect(bob.message("from a frame").locator(".name")).to_have_text("alice")
            bob.say("hello there")
            frame.locator(".message", has_text="hello there").wait_for()
            self.assertEqual(bob.page.get_by_text(USERNAME).count(), 0)
            self.picture(alice, "frame")
            self.assertAtPeace()

    @in_the_browser
    def test_on_a_strict_page_that_is_no_friend(self):
        with ExitStack() as ends:
            alice, bob = self.come(ends, "alice", "bob")
            bob.go_in(self.site.chat, NGS)
            alice.go_in(f"{self.site.pages.origin}/strict", NGS)
            page = alice.page
            before = page.evaluate("JSON.stringify([Object.keys(window), document.title])")
            alice.say("from afar")
            bob.message("from afar").wait_for()
            bob.say("`well`")
            expect(alice.message("well").locator("code")).to_be_in_viewport()
            box = page.locator(".launcher").bounding_box()
            assert box is not None
            self.assertEqual((box["width"], box["height"]), (56, 56))
            self.picture(alice, "strict")
            # Its scripts go to another page of theirs and back, and bring the tag once more.
            page.evaluate("history.pushState({}, '', '/strict?elsewhere')")
            page.evaluate("document.querySelector('giestack-chat').remove()")
            page.evaluate(_BRING, f"{self.site.alone}widget.js")
            page.evaluate(_BRING, f"{self.site.alone}widget.js?again")
            expect(page.locator("giestack-chat")).to_have_count(1)
            expect(page.locator(".panel")).to_be_visible()
            alice.say("still here")
            bob.message("still here").wait_for()
            eventually(lambda: self.site.sockets == 2, "one connection each")
            after = page.evaluate("JSON.stringify([Object.keys(window), document.title])")
            self.assertEqual(after, before)
            self.assertAtPeace()


class NetworkTests(StoryCase):
    @in_the_browser
    def test_networks_that_break_what_they_carry(self):
        network = BadNetwork(self, self.site.giestack.port)
        elsewhere().lead(network.port)
        with ExitStack() as ends:
            alice, bob = self.come(ends, "alice", "bob")
            alice.context.add_init_script(_ON_LINE)
            alice.page.clock.install()
            alice.go_in(f"http://127.0.0.1:{network.port}/giestack/chat/", ANNOTATION)
            bob.go_in(self.site.chat, ANNOTATION)
            # Dead without a word, while she writes, and while she does not.
            network.silence()
            alice.say("into silence")
            for _ in range(2):
                alice.page.clock.fast_forward(5_000)
            bob.message("into silence").wait_for()
            network.silence()
            bob.say("out of silence")
            for _ in range(8):
                alice.page.clock.fast_forward(10_000)
            alice.message("out of silence").wait_for()
            slower = alice.page.locator(".fallback")
            for way in ("refuse", "drop"):
                network.upgrades = way
                network.cut()
                alice.say(f"{way}: without WebSockets")
                self.until_heard(alice, bob, f"{way}: without WebSockets")
                expect(slower).to_contain_text("lets no WebSocket through")
                bob.say(f"{way}: back to her")
                alice.message(f"{way}: back to her").wait_for()
                self.picture(alice, "without-websockets")
                network.upgrades = "pass"
                alice.page.clock.fast_forward(180_000)
                expect(slower).to_be_hidden()
            alice.say("with WebSockets")
            bob.message("with WebSockets").wait_for()
            self.assertEqual(len(alice.texts()), 7)
            self.assertEqual(alice.texts(), bob.texts())
            eventually(lambda: self.site.sockets == 2, "one connection each")
            self.assertAtPeace(NO_WEBSOCKET)

    def until_heard(self, alice, bob, text):
        """She does not want to wait for the next attempts."""
        heard, now = bob.message(text), alice.button("Try now")

        def look():
            # It may be gone at any time.
            now.evaluate_all("found => found.forEach(one => one.click())")
            return heard.is_visible()

        eventually(look, text)


class KillTests(StoryCase):
    alone = True

    @in_the_browser
    def test_tabs_a_kill_and_a_logout(self):
        self.site.opt_in("alice", "bob")
        with ExitStack() as ends:
            alice, bob = self.come(ends, "alice", "bob")
            alice.go_in(self.site.own, NGS)
            bob.go_in(self.site.chat, NGS)
            tab = self.another_tab(alice)
            tab.go_in(self.site.chat, NGS)
            tab.say("from the second tab")
            bob.message("from the second tab").wait_for()
            alice.message("from the second tab").wait_for()
            # Two people, three pages.
            self.assertEqual(self.site.sockets, 2)
            alice.page.close()
            bob.say("one is gone")
            tab.message("one is gone").wait_for()
            tab.say("the other goes on")
            bob.message("the other goes on").wait_for()
            self.assertEqual(self.site.sockets, 2)
            self.kill(tab, bob)
            self.log_out(tab)
            self.assertAtPeace(NOT_LOGGED_IN, *AWAY)

    def kill(self, alice, bob):
        """What was sent just before is there after all, once."""
        alice.text.fill("just before")
        alice.text.press("Enter")
        self.site.kill()
        expect(bob.page.locator(".banner")).to_contain_text("No connection.")
        self.picture(bob, "no-connection")
        bob.say("while it was away")
        self.site.again()
        for one in (alice, bob):
            one.message("while it was away").wait_for()
            one.message("just before").wait_for()
            expect(one.page.locator(".pending")).to_have_count(0)
            texts = one.texts()
            self.assertEqual(len(texts), len(set(texts)), texts)

    def log_out(self, alice):
        """Who logs out in Galaxy is out of the chat, too, and sees nothing of it any more."""
        self.site.galaxy.log_out(ALICE)
        screen = alice.page.locator(".screens")
        expect(screen).to_contain_text("You are not logged in")
        self.picture(alice, "logged-out")
        self.assertEqual(alice.page.get_by_text("just before").count(), 0)
        expect(screen.get_by_role("link", name="Log in")).to_have_attribute(
            "href", re.compile(re.escape(self.site.pages.origin))
        )


class LookTests(StoryCase):
    @in_the_browser
    def test_on_every_screen(self):
        code = "```\nfor f in *.fastq; do fastqc --outdir quality $f; done\n```"
        text = "Hi @admin, does **anybody** know [this](https://example.org/)?"
        said, _ = self.site.say("alice", NGS, text, code)
        self.site.report("admin", NGS, said, "It is beside the point.")
        with ExitStack() as ends:
            for look, options in LOOKS:
                admin = self.come(ends, "admin", **options)
                page = admin.page
                admin.go_in(self.site.own, NGS)
                admin.message("anybody").wait_for()
                self.looked_at(admin, f"panel-{look}")
                admin.go_in(self.site.chat)
                if "phone" in look:
                    self.looked_at(admin, f"rooms-{look}")
                admin.enter(NGS)
                admin.say(f"On a {look} screen")
                admin.message(look).wait_for()
                self.looked_at(admin, f"page-{look}")
                page.goto(f"{self.site.chat}moderation")
                self.looked_at(admin, f"moderation-{look}")
                page.context.close()
            self.assertAtPeace()

    def looked_at(self, person, name):
        self.picture(person, name)
        self.assertAccessible(person.page)
        self.assertTrue(fits(person.page), name)
