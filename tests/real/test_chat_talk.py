"""What people do in the chat's rooms, in a real Chromium; the client does what it is told."""

from contextlib import ExitStack

from playwright.sync_api import expect

from tests.neighbours.chat_pages import CHAT, GALAXY
from tests.neighbours.shared_browser import in_the_browser
from tests.real.test_chat_view import ViewCase

WIDE = {"viewport": {"width": 1280, "height": 800}}
PAYLOADS = (
    "<script>window.broken = 1</script>",
    "<img src=x onerror='window.broken = 1'>",
    "%3Cimg src=x onerror=window.broken=1%3E",
    "&lt;img src=x onerror=window.broken=1&gt;",
    "[click](javascript:window.broken=1)",
    "[click](data:text/html,<script>parent.broken=1</script>)",
    "javascript:window.broken=1",
    "**<b onmouseover=window.broken=1>**",
    "`<svg onload=window.broken=1>`",
    "```\n</code></pre><script>window.broken=1</script>\n```",
    'https://example.org/"onmouseover="window.broken=1',
)
EVIL = '<img src=x onerror="window.broken=1">\u202eevil'
_SOMEBODY_EVIL = """name => {
    fake.room("x", name, {kind: "unlisted"});
    fake.people("ngs", "bob", {id: "e", name});
    fake.hear("ngs", name, "hi");
    const room = fake.state.rooms.get("ngs");
    fake.hear("ngs", "alice", "yes", {reply: room.last});
    room.typing = [{user: "e", name}];
    fake.emit("typing", "ngs");
    fake.emit("rooms");
}"""
_LINKS = """() => [...document.querySelector("giestack-chat").shadowRoot.querySelectorAll("a")]
    .map(link => [link.protocol, link.target, link.rel])"""
_MUTED = """
    fake.state.rooms.get("ngs").notices.push({seq: 9.5, ts: Date.now(), kind: "mod", act: "mute",
        by_name: "carol", name: "bob", reason: "noise"});
    fake.emit("messages", "ngs");
"""
_LONG = """
    const room = fake.room("long", "Long");
    for (let i = 0; i < 150; i++)
        fake.put("long", i % 3 ? "bob" : "eve", `message ${i}\\n\\nand more`);
    room.stored = room.messages.splice(0, 100);
    room.complete = false;
    room.read = room.last;
    fake.emit("rooms");
"""


class LogTests(ViewCase):
    @in_the_browser
    def test_d1_nothing_that_is_said_becomes_markup(self):
        with ExitStack() as ends:
            visit = self.visit(ends, WIDE)
            page = visit.page
            visit.come(f"{CHAT}#room=ngs")
            for text in PAYLOADS:
                page.evaluate("text => fake.hear('ngs', 'bob', text)", text)
            page.evaluate(_SOMEBODY_EVIL, EVIL)
            log = page.get_by_role("log")
            expect(log.locator(".mine .quote").last).to_contain_text(EVIL)
            expect(page.locator(".typing bdi")).to_contain_text("<img")
            for text in (PAYLOADS[0], PAYLOADS[1], PAYLOADS[2], PAYLOADS[3]):
                expect(log).to_contain_text(text)
            expect(page.locator(".room[data-room=x] bdi")).to_have_text(EVIL)
            page.get_by_role("button", name="people here").click()
            expect(page.locator(".person bdi.name").first).to_have_text(EVIL)
            page.keyboard.press("Escape")
            page.locator(".room[data-room=x]").click()
            expect(page.locator(".room-head bdi")).to_have_text(EVIL)
            self.assertEqual(page.locator("giestack-chat :is(script, img, iframe, b)").count(), 0)
            hrefs = page.evaluate(_LINKS)
            for protocol, target, rel in hrefs:
                self.assertIn(protocol, ("http:", "https:"))
                self.assertEqual((target, rel), ("_blank", "noopener noreferrer nofollow"))
            self.assertIsNone(page.evaluate("window.broken ?? null"))
            self.assertEqual(visit.complaints, [])

    @in_the_browser
    def test_a_log_reads_like_one(self):
        with ExitStack() as ends:
            visit = self.visit(ends, WIDE)
            page = visit.page
            visit.come(f"{CHAT}#room=ngs")
            log = page.get_by_role("log")
            expect(log.get_by_role("separator").first).to_be_visible()
            when = log.locator(".message[data-seq='1'] time")
            expect(when).to_have_text("09:02")
            self.assertRegex(when.get_attribute("title") or "", r"day, \w+ \d+, \d{4}")
            expect(log.locator("[data-seq='1'] strong")).to_have_text("fastp")
            expect(log.locator("[data-seq='3'] a.chip")).to_have_attribute(
                "href", f"{GALAXY}/u/eve/h/trimming"
            )
            expect(log.locator("[data-seq='5'] pre code")).to_contain_text("fastp -i in.fq.gz")
            expect(log.locator("[data-seq='6']")).to_contain_text("Moderator")
            expect(log.locator("[data-seq='6'] .mention.me")).to_have_text("@alice")
            expect(log.locator("[data-seq='8']")).to_contain_text(
                "carol deleted this message: advertising"
            )
            expect(log.locator("[data-seq='9'] .edited")).to_have_text("edited")
            # A quote leads to what it answers.
            log.locator("[data-seq='6'] .quote").click()
            expect(log.locator("[data-seq='4']")).to_be_focused()
            # Who comes and goes is told together; who is here already is not news.
            visit.fake("fake.people('ngs', 'alice', 'bob', 'dave', 'erin', 'frank', 'grace')")
            expect(log.locator(".note")).to_have_text(
                "dave, erin, and 2 others joined · eve and carol left"
            )
            visit.fake(_MUTED)
            expect(log.locator(".note", has_text="carol muted bob.")).to_contain_text("noise")
            visit.fake("fake.hear('ngs', 'alice', 'hm', {impersonated: true})")
            expect(log.locator(".message").last).to_contain_text("Impersonated")
            self.assertEqual(visit.complaints, [])

    @in_the_browser
    def test_the_reader_keeps_their_place(self):
        with ExitStack() as ends:
            visit = self.visit(ends, WIDE)
            page = visit.page
            visit.come(CHAT)
            visit.fake(_LONG)
            page.locator(".room[data-room=long]").click()
            log = page.get_by_role("log")
            expect(log.locator("[data-seq='150']")).to_be_in_viewport()
            # Who reads above is not moved by what comes below …
            middle = log.locator("[data-seq='120']")
            middle.evaluate("e => e.scrollIntoView({block: 'start'})")
            jump = page.locator(".jump")
            expect(jump).to_have_text("Jump to newest")
            before = middle.bounding_box()
            visit.fake("fake.hear('long', 'bob', 'new')")
            expect(jump).to_have_text("1 new message")
            self.assertEqual(middle.bounding_box(), before)
            # … nor by what is fetched above.
            first = log.locator("[data-seq='101']")
            first.evaluate("e => e.scrollIntoView({block: 'start'})")
            expect(log.locator("[data-seq='51']")).to_be_attached()
            expect(first).to_be_in_viewport()
            jump.click()
            expect(log.locator("[data-seq='151']")).to_be_in_viewport()
            expect(jump).to_be_hidden()
            visit.fake("fake.hear('long', 'bob', 'newer')")
            expect(log.locator("[data-seq='152']")).to_be_in_viewport()
            # By keyboard too.
            page.locator(".composer textarea").focus()
            page.keyboard.press("ArrowUp")
            expect(log.locator("[data-seq='152']")).to_be_focused()
            page.keyboard.press("ArrowUp")
            expect(log.locator("[data-seq='151']")).to_be_focused()
            page.keyboard.press("Control+l")
            expect(log.locator(".message")).to_have_count(0)
            page.get_by_role("button", name="Show what was cleared").click()
            expect(log.locator("[data-seq='152']")).to_be_visible()
            self.assertEqual(visit.complaints, [])


class ComposerTests(ViewCase):
    @in_the_browser
    def test_writing(self):
        with ExitStack() as ends:
            visit = self.visit(ends, WIDE)
            page, keys = visit.page, visit.page.keyboard
            visit.come(f"{CHAT}#room=ngs")
            text, last = page.locator(".composer textarea"), page.locator(".lines .message").last
            text.fill("  ")
            keys.press("Enter")
            self.assertEqual(visit.calls("send"), [])
            text.fill("one")
            keys.press("Shift+Enter")
            keys.type("two")
            keys.press("Enter")
            expect(last.locator("p").first).to_have_text("one\ntwo", use_inner_text=True)
            expect(text).to_have_value("")
            expect(text).to_be_focused()
            self.assertEqual(visit.calls("send"), [["ngs", "one\ntwo", None]])
            # A draft stays in its room.
            text.fill("to be continued")
            page.locator(".room[data-room=rna]").click()
            expect(text).to_have_value("")
            page.locator(".room[data-room=ngs]").click()
            expect(text).to_have_value("to be continued")
            # Names are offered.
            text.fill("hello ")
            keys.type("@")
            options = page.get_by_role("option")
            expect(options).to_have_count(4)
            keys.type("c")
            expect(options).to_have_count(1)
            expect(text).to_have_attribute(
                "aria-activedescendant", options.get_attribute("id") or ""
            )
            keys.press("Enter")
            expect(text).to_have_value("hello @carol ")
            # The limit is told before it is reached, and kept.
            text.fill("🧬" * 3990)
            expect(page.locator(".counter")).to_have_text("10")
            text.fill("🧬" * 4001)
            expect(page.get_by_role("button", name="Send")).to_be_disabled()
            keys.press("Enter")
            self.assertEqual(len(visit.calls("send")), 1)
            self.assertEqual(visit.complaints, [])

    @in_the_browser
    def test_answering_changing_and_what_fails(self):
        with ExitStack() as ends:
            visit = self.visit(ends, WIDE)
            page, keys = visit.page, visit.page.keyboard
            visit.come(f"{CHAT}#room=ngs")
            text = page.locator(".composer textarea")
            message = page.locator(".message[data-seq='9']")
            message.focus()
            keys.press("r")
            expect(page.locator(".mode")).to_contain_text("Reply to bob:")
            keys.type("yes")
            keys.press("Enter")
            expect(page.locator(".message[data-seq='10'] .quote")).to_contain_text("bob")
            self.assertEqual(visit.calls("send"), [["ngs", "yes", 9]])
            keys.press("ArrowUp")
            expect(text).to_have_value("yes")
            text.fill("no")
            keys.press("Enter")
            expect(page.locator(".message[data-seq='10'] .edited")).to_be_visible()
            self.assertEqual(visit.calls("edit"), [["ngs", 10, "no"]])
            page.locator(".message[data-seq='10']").focus()
            keys.press("Delete")
            page.get_by_role("button", name="Delete").click()
            expect(page.locator(".message[data-seq='10']")).to_contain_text("was deleted")
            visit.fake("fake.refuse('send', 'rate', 2500)")
            text.fill("too fast")
            keys.press("Enter")
            failed = page.locator(".pending")
            expect(failed).to_contain_text("That was too fast. Try again in 3 seconds.")
            failed.get_by_role("button", name="Try again").click()
            expect(failed).to_have_count(0)
            expect(page.locator(".lines .message").last).to_contain_text("too fast")
            visit.fake("fake.hold = true")
            text.fill("on its way")
            keys.press("Enter")
            expect(failed).to_contain_text("Sending…")
            self.assertEqual(visit.complaints, [])

    @in_the_browser
    def test_who_may_not_write_is_told_why(self):
        with ExitStack() as ends:
            visit = self.visit(ends, WIDE)
            page = visit.page
            visit.come(f"{CHAT}#room=ngs")
            text, reason = page.locator(".composer textarea"), page.locator(".reason")
            expect(text).to_be_enabled()
            for changes, words in (
                ("locked: true", "Only moderators can write here."),
                ("muted_until: Number.MAX_SAFE_INTEGER", "A moderator has muted you here."),
                ("muted_until: Date.now() + 9e7", "A moderator has muted you here until"),
                ("joined: false, muted_until: 0", "You have not joined this room."),
            ):
                change = f"Object.assign(fake.state.rooms.get('ngs'), {{{changes}}})"
                visit.fake(f"{change}; fake.emit('room', 'ngs')")
                expect(reason).to_contain_text(words)
                expect(text).to_be_disabled()
            reason.get_by_role("button", name="Join").click()
            visit.fake("fake.state.rooms.get('ngs').locked = false; fake.emit('room', 'ngs')")
            expect(text).to_be_enabled()
            visit.fake("fake.phase('offline')")
            expect(reason).to_contain_text("You are offline and can only read.")
            reason.get_by_role("button", name="Go online").click()
            expect(text).to_be_enabled()
            visit.fake("fake.phase('connecting', {retryAt: Date.now() + 60000})")
            expect(page.locator(".banner")).to_contain_text("Next try in")
            page.get_by_role("button", name="Try now").click()
            self.assertEqual(len(visit.calls("refresh")), 1)
            expect(text).to_be_enabled()
            self.assertEqual(visit.complaints, [])


class PeopleTests(ViewCase):
    @in_the_browser
    def test_rooms_people_and_what_was_said(self):
        with ExitStack() as ends:
            visit = self.visit(ends, WIDE)
            page, keys = visit.page, visit.page.keyboard
            visit.come(f"{CHAT}#room=ngs")
            page.get_by_role("button", name="Join or start").click()
            keys.type("metagenomics")
            keys.press("Enter")
            expect(page.locator(".room-head bdi")).to_have_text("Room metagenomics")
            page.get_by_role("button", name="Join or start").click()
            keys.type("Our course")
            keys.press("Enter")
            expect(page.locator(".room-head bdi")).to_have_text("Our course")
            made = {"kind": "unlisted", "name": "Our course", "user": None}
            self.assertEqual(visit.calls("create"), [[made]])
            visit.fake("navigator.clipboard.writeText = async (text) => { fake.copied = text }")
            page.get_by_role("button", name="Actions for this room").click()
            page.get_by_role("menuitem", name="Copy invitation link").click()
            expect(page.locator(".told")).to_have_text("Link copied.")
            self.assertEqual(visit.fake("return fake.copied"), f"{CHAT}#room=made-Our%20course")
            page.get_by_role("button", name="Actions for this room").click()
            page.get_by_role("menuitem", name="Leave this room").click()
            expect(page.locator(".room[data-room=made-Our\\ course]")).to_have_count(0)
            page.get_by_role("button", name="Join or start").click()
            page.get_by_label("User name").fill("ev")
            page.get_by_role("button", name="Send a direct message to eve").click()
            expect(page.locator(".room-head bdi")).to_have_text("eve")
            page.get_by_role("button", name="Search messages").click()
            keys.type("memory")
            keys.press("Enter")
            page.get_by_role("button", name="About 4 GB of memory").click()
            expect(page.locator(".message[data-seq='2']")).to_be_focused()
            page.locator(".message[data-seq='1'] .dots").click()
            page.get_by_role("menuitem", name="Report…").click()
            keys.type("rude")
            page.get_by_role("button", name="Report").click()
            expect(page.locator(".told")).to_contain_text("The moderators were told.")
            self.assertEqual(visit.calls("report"), [["ngs", 1, "rude"]])
            self.assertEqual(page.get_by_role("menuitem", name="Ban…").count(), 0)
            self.assertEqual(visit.complaints, [])

    @in_the_browser
    def test_moderators_can_act(self):
        with ExitStack() as ends:
            visit = self.visit(ends, WIDE, role="moderator")
            page = visit.page
            visit.come(f"{CHAT}#room=ngs")

            def on_message(name):
                page.locator(".message[data-seq='9'] .dots").click()
                page.get_by_role("menuitem", name=name).click()

            def on_room(name):
                page.get_by_role("button", name="Actions for this room").click()
                page.get_by_role("menuitem", name=name).click()

            on_message("Mute…")
            page.get_by_label("For how long").select_option("1 day")
            page.get_by_label("Reason").fill("noise")
            visit.fake("fake.refuse('moderate', 'perm')")
            page.get_by_role("button", name="Mute").click()
            expect(page.get_by_role("alert")).to_have_text("You are not allowed to do that.")
            page.get_by_role("button", name="Mute").click()
            expect(page.get_by_role("dialog")).to_have_count(0)
            on_message("Ban…")
            page.get_by_label("For how long").select_option("for ever")
            page.get_by_role("button", name="Ban").click()
            expect(page.get_by_role("dialog")).to_have_count(0)
            on_message("Delete…")
            page.get_by_label("Reason").fill("spam")
            page.get_by_role("button", name="Delete").click()
            expect(page.locator(".message[data-seq='9']")).to_contain_text("spam")
            on_room("Slow mode…")
            page.get_by_label("One message in").select_option("30")
            page.get_by_role("button", name="Set", exact=True).click()
            expect(page.get_by_role("dialog")).to_have_count(0)
            on_room("Lock for all but moderators")
            acts = [act for (act,) in visit.calls("moderate")]
            self.assertEqual([act["act"] for act in acts], ["mute", "mute", "ban", "slow", "lock"])
            self.assertEqual(
                (acts[1]["user"], acts[1]["room"], acts[1]["reason"]), ("u-bob", "ngs", "noise")
            )
            away = acts[1]["until"] - visit.fake("return Date.now()")
            self.assertApproximates(away, 86_400_000, 600_000)
            self.assertEqual((acts[2]["user"], acts[2]["until"]), ("u-bob", None))
            self.assertEqual(acts[3], {"act": "slow", "room": "ngs", "seconds": 30})
            visit.fake(
                "fake.emit('report', 'rna', {room: 'rna', ref: 1, name: 'eve', reason: 'x'})"
            )
            page.get_by_role("button", name="Show", exact=True).click()
            expect(page.get_by_role("heading", name="RNA-Seq")).to_be_visible()
            self.assertEqual(visit.complaints, [])

    @in_the_browser
    def test_switching_on_and_off_and_what_else_there_is(self):
        with ExitStack() as ends:
            visit = self.visit(ends, WIDE, phase="optin")
            page = visit.page
            visit.come(CHAT)
            expect(page.get_by_text("Others see your user name, alice.")).to_be_visible()
            page.get_by_role("button", name="Switch chat on").click()
            expect(page.locator(".rooms")).to_be_visible()
            page.get_by_role("button", name="Settings").click()
            page.get_by_label("Do not disturb").check()
            self.assertEqual(visit.calls("setPrefs"), [[{"do_not_disturb": True}]])
            expect(page.get_by_role("link", name="Download as JSON")).to_have_attribute(
                "href", f"{CHAT}api/export?format=jsonl"
            )
            page.get_by_role("button", name="Switch chat off").click()
            page.get_by_role("button", name="Switch off").click()
            expect(page.get_by_role("button", name="Switch chat on")).to_be_visible()
            for phase, more, words in (
                (
                    "banned",
                    "{banned_until: 4e12, reason: 'spam'}",
                    "until Tuesday, October 2, 2096",
                ),
                ("disabled", "{}", "The chat is switched off"),
                ("unavailable", "{}", "The chat doesn’t answer"),
                ("loggedout", "{}", "You are not logged in"),
            ):
                visit.fake(f"fake.phase('{phase}', {more})")
                expect(page.locator(".screens")).to_contain_text(words)
            visit.fake("fake.phase('online', {transport: 'stream'})")
            expect(page.locator(".fallback")).to_contain_text("lets no WebSocket through")
            self.assertEqual(visit.complaints, [])
