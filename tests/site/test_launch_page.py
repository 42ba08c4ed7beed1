"""``launch``: asks once, then starts."""

from dataclasses import replace
from html import unescape
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.view import SpawnRefused, bad_option
from tests.site.conversation import ADMIN, ALICE, GUEST, HOST, Galaxy, ask, pages_of
from tests.site.fake_spawning import BOB, JUPYTER, FakeSpawning, session

OWN = (b"Origin", b"http://" + HOST)
FORM = (b"Content-Type", b"application/x-www-form-urlencoded")


class LaunchCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.spawning = FakeSpawning()
        self.site = pages_of(Galaxy(), spawning=self.spawning)

    def show(self, query: str, visitor=ALICE, status=200) -> str:
        said = ask(self.site, b"/giestack/launch?" + query.encode(), visitor)
        self.assertEqual(said.status, status)
        return said.markup

    def submit(self, visitor=ALICE, headers=(OWN, FORM), **fields):
        body = urlencode({"profile": "jupyter", **fields}).encode()
        return ask(self.site, b"/giestack/launch", visitor, b"POST", headers, body)


class ShowTests(LaunchCase):
    def test_asks_with_the_form_filled_in(self) -> None:
        text = self.show("profile=jupyter&option.rows=7&option.interface=tree&name=mice")
        self.assertIn("<h1>Start JupyterLab?</h1>", text)
        self.assertIn('value="7" required min="1" max="10000"', text)
        self.assertIn('<option value="tree" selected>', text)
        self.assertIn('name="name" value="mice"', text)
        self.assertIn('<details class="more" open>', text)
        self.assertIn("Notebooks for Python, R and Julia", text)
        self.assertIn("no isolation", text)
        self.assertEqual(self.spawning.calls, [])

    def test_every_field_has_its_label_and_description(self) -> None:
        text = self.show("profile=jupyter")
        self.assertIn('<label for="jupyter-interface"><bdi>Interface</bdi></label>', text)
        self.assertIn('aria-describedby="jupyter-interface-about"', text)
        self.assertIn('id="jupyter-interface-about">What opens first<', text)
        self.assertIn('type="checkbox" id="jupyter-debug" name="option.debug" value="true">', text)
        self.assertIn('name="option.greeting" value="hello"', text)

    def test_the_history_that_galaxys_page_names(self) -> None:
        text = self.show("profile=jupyter&history_id=f2db41e1fa331b3e")
        self.assertIn('<input type="hidden" name="history_id" value="f2db41e1fa331b3e">', text)
        self.assertIn("Galaxy history that you come from", text)
        self.assertNotIn("history", self.show("profile=jupyter"))
        text = self.show("profile=jupyter&history_id=%22%3E%3Ci%3E", status=422)
        self.assertIn("“history_id” must be", text)
        self.assertNotIn("hidden&#34;", text)

    def test_an_image_is_chosen_in_the_form(self) -> None:
        lab = replace(
            JUPYTER, image="lab:{options.version}", options={"version": {"choices": ["1", "2"]}}
        )
        self.spawning.offered = [lab]
        self.assertIn('value="2" selected>', self.show("profile=jupyter&image=lab:2"))
        text = self.show("profile=jupyter&image=evil", status=422)
        self.assertIn("must be one of: lab:1, lab:2.", text)

    def test_datasets_are_not_just_left_out(self) -> None:
        text = self.show("profile=jupyter&dataset_id=a,b", status=422)
        self.assertIn("“dataset_id”", text)
        self.assertEqual(self.spawning.calls, [])

    def test_one_that_cannot_be_started_says_why(self) -> None:
        self.spawning.closed_for["jupyter"] = "No engine can be reached just now: <i>x</i>."
        text = self.show("profile=jupyter")
        self.assertIn('id="jupyter-closed">It can’t be started just now. No engine', text)
        self.assertIn("&lt;i&gt;", text)
        self.assertIn('<button class="button" disabled aria-describedby="jupyter-closed">', text)
        self.assertNotIn("disabled", self.show("profile=rstudio"))

    def test_what_a_link_has_is_text_and_never_markup(self) -> None:
        text = self.show("profile=jupyter&name=%22%3E%3Ci%3E&option.greeting=%22%3E%3Ci%3E")
        self.assertNotIn("<i>", text)
        self.assertIn("&#34;&gt;&lt;i&gt;", text)
        self.assertNotIn("<i>", self.show("profile=%3Ci%3E", status=404))

    def test_faults_of_a_link_stand_at_their_fields(self) -> None:
        text = unescape(self.show("profile=jupyter&option.rows=many&option.x=1", status=422))
        self.assertIn("Rows must be a whole number.", text)
        self.assertIn("There is no option “x”.", text)
        self.assertIn('aria-describedby="jupyter-rows-fault" aria-invalid="true"', text)
        self.assertIn("<title>Please correct: Start JupyterLab", text)

    def test_an_unknown_profile_is_404_with_what_there_is(self) -> None:
        text = self.show("profile=nothing", status=404)
        self.assertIn('href="/giestack/launch?profile=jupyter"', text)
        self.assertIn('href="/giestack/launch?profile=rstudio"', text)
        # The same as for one that is not for this visitor.
        self.assertEqual(text, self.show("profile=lab", status=404))
        self.assertIn("Start Laboratory?", self.show("profile=lab", ADMIN))
        self.spawning.offered = []
        self.assertIn("nothing that you may start", self.show("profile=nothing", status=404))

    def test_without_a_profile_the_start_page_has_them_all(self) -> None:
        said = ask(self.site, b"/giestack/launch", ALICE)
        self.assertEqual((said.status, said.header("location")), (303, "/giestack/"))

    def test_who_is_not_logged_in_comes_back(self) -> None:
        for visitor in (None, GUEST):
            text = self.show("profile=jupyter", visitor, 401)
            self.assertIn("login/start?redirect=/giestack/launch?profile=jupyter", text)

    def test_one_that_is_there_is_offered(self) -> None:
        self.spawning.add(session("ready"))
        text = self.show("profile=jupyter")
        self.assertIn("You have it already", text)
        self.assertIn('href="/giestack/session/s1/lab">Open it', text)
        self.assertNotIn("already", self.show("profile=jupyter&name=other"))
        self.assertNotIn("already", self.show("profile=rstudio"))
        self.assertNotIn("already", self.show("profile=jupyter", BOB))
        self.spawning.become("s1", "starting")
        self.assertIn('href="/giestack/sessions/s1?open=1"', self.show("profile=jupyter"))
        for state in ("stopping", "stopped", "failed"):
            self.spawning.become("s1", state)
            self.assertNotIn("already", self.show("profile=jupyter"))


class SubmitTests(LaunchCase):
    def test_starts_what_was_chosen_and_goes_to_its_page(self) -> None:
        fields = {"option.rows": "7", "option.interface": "tree", "option.greeting": "hé"}
        said = self.submit(name=" mice ", **fields)
        self.assertEqual(said.status, 303)
        self.assertEqual(said.header("location"), "/giestack/sessions/new1?open=1")
        options = {"rows": 7, "interface": "tree", "greeting": "hé", "debug": False}
        self.assertEqual(self.spawning.calls, [("request", ALICE, "jupyter", "mice", options)])

    def test_where_it_comes_from_goes_with_it(self) -> None:
        self.submit(history_id="f2db41e1fa331b3e")
        [told] = self.spawning.circumstances
        self.assertEqual(told.history_id, "f2db41e1fa331b3e")
        self.assertEqual(told.remote_host, "192.0.2.7")
        self.assertEqual(told.origin, f"http://{HOST.decode()}")
        self.assertEqual(self.submit(history_id="../x", name="b").status, 422)
        self.assertEqual(self.submit(dataset_id="a", name="c").status, 422)
        self.assertEqual(len(self.spawning.calls), 1)

    def test_a_second_click_leads_to_the_same_session(self) -> None:
        first, second = self.submit(), self.submit()
        self.assertEqual(first.header("location"), second.header("location"))
        self.assertEqual(len(self.spawning.sessions), 1)

    def test_faults_come_back_with_the_form(self) -> None:
        said = self.submit(**{"option.rows": "0", "option.greeting": "kept"})
        self.assertEqual(said.status, 422)
        self.assertIn(
            '<p class="fault" id="jupyter-rows-fault">Rows must be at least 1.', said.markup
        )
        self.assertIn('value="kept"', said.markup)
        self.assertEqual(self.spawning.calls, [])

    def test_what_the_spawner_finds_wrong(self) -> None:
        said = self.submit(name="x" * 101)
        self.assertEqual(said.status, 422)
        self.assertIn('id="jupyter-name-fault">The name must be', said.markup)
        self.spawning.refusal = bad_option("rows", "Not today.")
        self.assertIn('id="jupyter-rows-fault">Not today.', self.submit().markup)

    def test_a_profile_that_is_not_there(self) -> None:
        self.assertEqual(self.submit(profile="lab").status, 404)
        # Gone in between.
        self.spawning.refusal = SpawnRefused(404, "no-such-profile", "No.")
        self.assertEqual(self.submit().status, 404)

    def test_other_refusals(self) -> None:
        self.spawning.refusal = SpawnRefused(503, "closing", "Giestack is about to stop.")
        said = self.submit()
        self.assertEqual(said.status, 503)
        self.assertIn("Giestack is about to stop.", said.markup)

    def test_pages_of_others_start_nothing(self) -> None:
        foreign = (b"Origin", b"https://evil.example.org")
        galaxy = (b"Origin", b"http://127.0.0.1:8080")
        site = pages_of(
            Galaxy(), spawning=self.spawning, origins=frozenset((b"http://127.0.0.1:8080",))
        )
        self.site = site
        for headers in ((FORM,), (FORM, foreign), (FORM, galaxy), (FORM, (b"Origin", b"null"))):
            self.assertEqual(self.submit(headers=headers).status, 403)
        self.assertEqual(self.spawning.calls, [])

    def test_only_users(self) -> None:
        for visitor in (None, GUEST):
            self.assertEqual(self.submit(visitor).status, 401)
        self.assertEqual(self.spawning.calls, [])

    def test_a_form_that_is_too_large(self) -> None:
        self.assertEqual(self.submit(name="x" * 70000).status, 413)

    def test_a_body_that_is_no_form(self) -> None:
        self.assertEqual(self.submit(headers=(OWN,)).status, 404)
        self.assertEqual(self.spawning.calls, [])
