"""The form of a profile's options."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from giestack.site.launch_form import form_of, refused_form
from giestack.spawner.view import SpawnRefused, bad_option
from tests.site.fake_spawning import JUPYTER, PLAIN

DEFAULTS = {"interface": "lab", "rows": 100, "debug": False, "greeting": "hello"}


def form(given=None, *, sent=False, profile=JUPYTER):
    return form_of(profile, "", given or {}, sent=sent)


class FormTests(SynchronousTestCase):
    def test_empty_it_has_the_defaults(self) -> None:
        one = form()
        self.assertEqual(one.options, DEFAULTS)
        self.assertEqual((one.title, one.name, one.wrong), ("JupyterLab", "", False))
        self.assertEqual(form(profile=PLAIN).title, "rstudio")

    def test_what_it_is_given(self) -> None:
        given = {"option.rows": "7", "option.debug": "on", "option.interface": "tree"}
        one = form({**given, "option.greeting": "", "name": " mice "})
        chosen = {"interface": "tree", "rows": 7, "debug": True, "greeting": ""}
        self.assertEqual((one.options, one.name, one.wrong), (chosen, "mice", False))

    def test_a_box_that_is_not_ticked_is_not_sent(self) -> None:
        ticked = replace(JUPYTER, options={"debug": {"type": "boolean", "default": True}})
        self.assertEqual(form(profile=ticked).options, {"debug": True})
        self.assertEqual(form(profile=ticked, sent=True).options, {"debug": False})
        given = {"option.debug": "true"}
        self.assertEqual(form(given, profile=ticked, sent=True).options, {"debug": True})

    def test_every_fault_at_its_place(self) -> None:
        one = form({"option.rows": "many", "option.interface": "x", "option.no": "1", "other": ""})
        self.assertTrue(one.wrong)
        faults = {field.option.name: field.error for field in one.fields if field.error}
        self.assertEqual(
            faults,
            {
                "interface": "Interface must be one of: lab, tree.",
                "rows": "Rows must be a whole number.",
            },
        )
        self.assertEqual(one.errors, ("There is no option “no”.",))
        # What was sent is there to be corrected.
        self.assertEqual(one.options["rows"], "many")

    def test_what_the_spawner_refuses(self) -> None:
        one = refused_form(form(), bad_option("rows", "Too many."))
        self.assertEqual([f.error for f in one.fields], ["", "Too many.", "", ""])
        self.assertEqual(one.name_error, "")
        one = refused_form(form(), bad_option("name", "Too long."))
        self.assertEqual((one.name_error, one.wrong), ("Too long.", True))
        one = refused_form(form(), SpawnRefused(422, "bad-options", "No."))
        self.assertEqual((one.errors, one.wrong), (("No.",), True))

    def test_an_option_that_is_called_name(self) -> None:
        odd = replace(JUPYTER, options={"name": {"type": "text"}})
        one = refused_form(form(profile=odd), bad_option("name", "No."))
        self.assertEqual((one.fields[0].error, one.name_error), ("No.", ""))

    def test_an_image_is_an_option(self) -> None:
        lab = replace(
            JUPYTER,
            image="quay.io/site/lab:{options.version}",
            options={"version": {"choices": ["17.09", "24.07"]}, "rows": {"type": "integer"}},
        )
        one = form({"image": "quay.io/site/lab:24.07", "option.rows": "7"}, profile=lab)
        self.assertEqual((one.options, one.wrong), ({"version": "24.07", "rows": 7}, False))
        one = form({"image": "evil", "option.rows": "7"}, profile=lab)
        self.assertEqual(one.options, {"version": "17.09", "rows": 7})
        self.assertIn("quay.io/site/lab:24.07", one.errors[0])
        one = form({"image": "24.07", "option.version": "17.09"}, profile=lab, sent=True)
        self.assertIn("another one than the option “version”", one.errors[0])
        self.assertFalse(form({"image": ""}, profile=lab).wrong)

    def test_the_history_it_is_started_from(self) -> None:
        one = form({"history_id": "f2db41e1fa331b3e"})
        self.assertEqual((one.history_id, one.wrong), ("f2db41e1fa331b3e", False))
        self.assertEqual((form({"history_id": ""}).history_id, form().history_id), ("", ""))
        for odd in ("a b", "x" * 65, "a/b", "é", "a\n"):
            one = form({"history_id": odd})
            self.assertEqual(one.history_id, "")
            self.assertIn("history_id", one.errors[0])

    def test_datasets_are_not_just_left_out(self) -> None:
        one = form({"dataset_id": "f2db41e1fa331b3e,x", "image": "evil", "option.no": ""})
        self.assertEqual(len(one.errors), 3)
        self.assertIn("dataset_id", one.errors[1])

    def test_its_limits(self) -> None:
        self.assertEqual(
            form().limits, "Up to 2.0 GB of memory, 1 CPU core, stops after 1 h without use"
        )
        for gpus, words in ((1, "1 GPU"), (2, "2 GPUs")):
            text = form(profile=replace(JUPYTER, gpus=gpus)).limits
            self.assertIn(f"1 CPU core, {words}, stops", text)
        several = replace(JUPYTER, cpus=2.5, memory=0, idle_timeout=0)
        self.assertEqual(form(profile=several).limits, "2.5 CPU cores")
        free = replace(several, cpus=0)
        self.assertEqual(form(profile=free).limits, "")
        free = replace(free, idle_timeout=60)
        self.assertEqual(form(profile=free).limits, "Stops after 1 min without use")
